"""SQuAD's head, its features, and its way from logits to final answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.tasks.squad.metric import SquadAnswer
from atinuke_bench.tasks.squad.model import WIDTHS, question_overlap
from atinuke_bench.tasks.squad.task import SQUAD_V1, SQUAD_V2
from atinuke_bench.training.evaluate import evaluate
from atinuke_bench.training.prepare import prepare


@pytest.mark.parametrize("overlap", ["none", "token", "window"])
def test_padding_and_company_change_no_logit(squad_run, overlap):
    prepared = prepare(squad_run("2.0", options__overlap=overlap))
    encoded = prepared.encode("train", prepared.train_examples)
    torch.manual_seed(0)
    module = prepared.task.model.build(build_core(prepared.run.core, 200), prepared.run).eval()
    order = np.argsort(encoded.lengths, kind="stable")
    together = module.outputs(BatchDataset(encoded)[order[[0, -1]]])
    alone = module.outputs(BatchDataset(encoded)[order[[0]]])
    length = encoded.lengths[order[0]]
    assert length < encoded.lengths[order[-1]]
    for name in ("start", "end"):
        torch.testing.assert_close(together[name][:1, :length], alone[name], atol=1e-5, rtol=1e-4)
        assert together[name].isfinite().all()


def test_no_answer_is_judged_from_the_whole_text_even_by_a_causal_core(squad_run):
    prepared = prepare(squad_run("2.0"))
    encoded = prepared.encode("train", prepared.train_examples)
    module = prepared.task.model.build(build_core(prepared.run.core, 200), prepared.run).eval()
    assert module.core.is_causal
    batch = BatchDataset(encoded)[np.array([0])]
    before = module.outputs(batch)["start"][0, 0]
    last = int(batch["attention_mask"].sum()) - 2
    batch["input_ids"][0, last] = batch["input_ids"][0, last] % 150 + 5
    assert module.outputs(batch)["start"][0, 0] != before


def test_overlap_weighs_words_of_the_question_by_their_rarity_and_nearness():
    features = question_overlap(torch.tensor([[0, 0, 0, 0, 2, 0, 2, 1, 0, 0, 0]]))
    twice, once = np.log1p(1 / 2), np.log1p(1)
    assert WIDTHS[:2] == (0, 2)
    torch.testing.assert_close(features[0, 4:9, 0], torch.tensor([twice, 0, twice, once, 0]).float())
    torch.testing.assert_close(features[0, 5, 1], torch.tensor(2 * twice + once).float())
    assert features.shape == (1, 11, len(WIDTHS))
    assert not features[0, :2, 0].any()


@pytest.mark.parametrize("text_first", [False, True])
def test_a_causal_core_sees_nothing_of_what_comes_last(squad_run, text_first):
    """What the task says of causal cores: the question has seen no text, or the text no question."""
    prepared = prepare(squad_run("1.1", options__second_first=text_first, options__overlap="none"))
    batch = BatchDataset(prepared.encode("train", prepared.train_examples))[np.array([0])]
    core = build_core(prepared.run.core, 200).eval()
    is_text = batch["segment_ids"][0].bool()
    is_text[0] = False
    is_question = ~is_text & batch["attention_mask"][0]
    is_question[0] = False
    earlier, later = (is_text, is_question) if text_first else (is_question, is_text)
    other = batch["input_ids"].clone()
    other[0, later] = other[0, later] % 150 + 5
    vectors = [core(ids, batch["attention_mask"], batch["segment_ids"])[0] for ids in (batch["input_ids"], other)]
    assert torch.equal(vectors[0][earlier], vectors[1][earlier])
    assert not torch.isclose(vectors[0][later], vectors[1][later]).all(-1).any()
    assert "the question before the text" in prepared.task.causal_view


@pytest.mark.parametrize("text_first", [False, True])
@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_the_right_logits_give_the_right_answers_whatever_the_order_of_batches(squad_run, version, text_first):
    prepared = prepare(squad_run(version, training__max_length=32, options__stride=4, options__second_first=text_first))
    examples, task = prepared.evaluation_splits["dev"], prepared.task
    encoded = prepared.encode("dev", examples)
    outputs = []
    for rows in (np.array([4, 1]), np.array([0, 2, 3]), np.arange(5, len(encoded))[::-1]):
        length = int(encoded.lengths[rows].max())
        output = {"rows": rows}
        for name in ("start", "end"):
            logits = np.zeros((len(rows), length), np.float32)
            labels = encoded.fixed[f"{name}_label"][rows]
            logits[np.arange(len(rows)), labels] = np.where(labels > 0, 9.0, 4.0)
            output[name] = logits
        outputs.append(output)
    predictions = task.model.decode(outputs, encoded, examples, prepared.run)
    calibration = task.model.calibrate(examples, predictions, prepared.run)
    figures = evaluate(task, examples, task.model.apply_calibration(predictions, calibration)).figures
    assert figures["f1"] == 100.0
    assert figures.get("best_f1", 100.0) == 100.0


def test_a_threshold_empties_answers_and_gives_them_back():
    answers = {"q1": SquadAnswer("", "Oslo", -2.0), "q2": SquadAnswer("Oslo", "Oslo", 3.0)}
    final = SQUAD_V2.model.apply_calibration(answers, {"null_threshold": 0.5})
    assert [answer.text for answer in final.values()] == ["Oslo", ""]
    assert SQUAD_V1.model.apply_calibration(answers, {}) is answers
