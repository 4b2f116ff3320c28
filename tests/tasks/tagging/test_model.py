"""The loss and the answers of the module."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.training.prepare import prepare


@pytest.fixture
def built(hindi, make_tagging):
    prepared = prepare(make_tagging(hindi / "hindi.yaml", training__max_length=8))
    module = prepared.task.model.build(build_core(prepared.run.core, prepared.tokenizer.get_vocab_size()), prepared.run)
    return prepared, module.eval(), prepared.encode("dev", prepared.loaded.splits["dev"])


def test_the_loss_is_the_mean_over_words(built):
    prepared, module, encoded = built
    assert len(encoded) > len(prepared.loaded.splits["dev"]), "some sentence is read in windows"
    batch = BatchDataset(encoded)[np.arange(len(encoded))]
    logits = module.logits(batch)
    losses = [
        F.cross_entropy(logits[row, word], target)
        for row, targets in enumerate(batch["targets"])
        for word, target in enumerate(targets)
        if target >= 0
    ]
    num_words = sum(map(len, prepared.loaded.splits["dev"]["words"][:]))
    assert int(module.num_units(batch)) == len(losses) == num_words
    torch.testing.assert_close(module.loss(batch), torch.stack(losses).mean())
    nothing = {**batch, "targets": torch.full_like(batch["targets"], -100)}
    assert module.loss(nothing).item() == 0


def test_answers_are_allowed_tags_for_every_word(built):
    prepared, module, encoded = built
    batch = BatchDataset(encoded)[np.arange(len(encoded))]
    outputs = [{"rows": batch["rows"].numpy(), "tags": module.outputs(batch)["tags"].numpy()}]
    for tags in outputs[0]["tags"]:  # no I without its B before it
        for before, tag in zip([0, *tags], tags, strict=False):
            assert tag == 0 or tag % 2 == 1 or before in (tag, tag - 1)
    answers = prepared.task.model.decode(outputs, encoded, prepared.loaded.splits["dev"], prepared.run)
    words = {row["id"]: row["words"] for row in prepared.loaded.splits["dev"]}
    assert {id_: len(tags) for id_, tags in answers.items()} == {id_: len(own) for id_, own in words.items()}


def test_a_scheme_may_be_set(hindi, make_tagging):
    text = (hindi / "hindi.yaml").read_text()
    (hindi / "hindi.yaml").write_text(text.replace("metric: seqeval_f1\n", ""))
    prepared = prepare(make_tagging(hindi / "hindi.yaml", options__scheme="plain"))
    assert prepared.task.metric.name == "accuracy"
    assert prepared.run.options["labels"] == ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]
    found = prepare(make_tagging(hindi / "hindi.yaml"))
    assert found.task.metric.name == "seqeval_f1"
    assert found.run.options["labels"] == ["LOC", "PER"]
    assert found.identity != prepared.identity
