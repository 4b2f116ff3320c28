"""Every family under bfloat16 autocast, as on a GPU: each task's head and decoding meet half-precision outputs."""

from __future__ import annotations

import json
import math

import pytest

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

FAMILIES = {"squad-v2.0": 40, "snli": 40, "glue/stsb": 40, "coref": 4, "srl": 40, "lm": 40}


def carry_out(task, place, precision):
    run = make_run_config(
        task,
        "atinuke",
        preset="nano",
        source=SourceConfig(kind="microworld"),
        seed=0,
        overrides={
            "source.microworld.train": FAMILIES[task],
            "source.microworld.dev": 8,
            "source.microworld.test": 8,
            "training.max_epochs": 1,
            "training.precision": precision,
        },
    )
    folder = RunFolder(place)
    result = train_and_evaluate(prepare(run), folder, Execution(show_progress=False))
    return json.loads(folder.manifest.read_text())["precision"], folder.read_history()[0]["loss"], result


@pytest.mark.parametrize("task", FAMILIES)
def test_a_family_trains_in_bfloat16_nearly_as_in_float32(task, tmp_path):
    precision, loss, result = carry_out(task, tmp_path / "half", "bfloat16")
    usual, reference, _ = carry_out(task, tmp_path / "full", "float32")
    assert (precision, usual) == ("bfloat16", "float32")
    assert math.isfinite(result["score"])
    assert loss == pytest.approx(reference, rel=0.03)
    assert loss != reference
