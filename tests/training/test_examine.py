"""What `task check` shows: figures against counting by hand, for each family."""

from __future__ import annotations

import json

import pytest

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.training.examine import examine
from atinuke_bench.training.prepare import prepare


def test_lengths_repeats_and_unknown_share(own, make_own):
    texts = ["the film was great"] * 6 + ["dull " * 30] * 2
    records = [{"key": f"x{n}", "body": text, "stars": "pos" if n < 6 else "neg"} for n, text in enumerate(texts)]
    (own / "test.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    record = examine(prepare(make_own(own / "reviews.yaml", training__max_length=16)))
    test = record["splits"]["test"]
    assert test["tokens"] == {"median": 6, "95 %": 32, "over max_length": 25.0}
    assert (test["examples"], test["labelled"], test["repeats"]) == (8, 8, 6)
    assert test["labels"] == {"pos": 6, "neg": 2}
    assert test["unknown_percent"] == 0
    shown = record["examples"]
    assert [len(example["rows"][0].split()) <= 16 for example in shown] == [True] * 3
    assert {example["answer"] for example in shown} <= {"pos", "neg"}


@pytest.mark.parametrize("task", ["squad-v2.0", "coref", "srl", "lm", "glue/stsb"])
def test_every_family_is_shown(task):
    source = SourceConfig.model_validate({"kind": "microworld", "microworld": {"train": 12, "dev": 4, "test": 4}})
    record = examine(prepare(make_run_config(task, "bilstm", preset="nano", source=source)))
    assert len(record["examples"]) == 3
    assert all(example["rows"] for example in record["examples"])
    assert record["splits"]["train"]["tokens"]["median"] > 2
    json.dumps(record)
