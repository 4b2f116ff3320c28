"""Every built-in core and task passes the suite that plug-ins are held to."""

from __future__ import annotations

import json

import pytest
import torch

from atinuke_bench.config import core_config_class, is_floor
from atinuke_bench.core.base import Core
from atinuke_bench.registry import core_names
from atinuke_bench.testing import check_core, check_task


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", [name for name in core_names() if not is_floor(name) and name != "pretrained"])
@pytest.mark.parametrize("causal", [False, True])
def test_core(name, causal):
    config_class = core_config_class(name)
    if "causal" not in config_class.model_fields and causal:
        pytest.skip("this core has no causal form")
    changes = {"causal": causal} if "causal" in config_class.model_fields else {}
    check_core(config_class.from_preset("nano", **changes))


def test_a_core_that_sees_padding_is_caught(monkeypatch):
    from atinuke_bench.core.atinuke import AtinukeCore

    original = AtinukeCore.forward
    leak = lambda self, ids, mask, *args, **kw: original(self, ids, mask, *args, **kw) + mask.shape[1]  # noqa: E731
    monkeypatch.setattr(AtinukeCore, "forward", leak)
    with pytest.raises(AssertionError, match="padding changes no real token"):
        check_core(core_config_class("atinuke").from_preset("nano"))
    assert issubclass(AtinukeCore, Core)


def _pair(folder, gold, answer):
    """A gold file of classification, and predictions of one answer to all of it, in the official formats."""
    predictions = folder / "predictions"
    if gold.suffix == ".jsonl":
        records = [json.loads(line) for line in gold.read_text(encoding="utf-8").splitlines()]
        lines = [json.dumps({"pairID": record["pairID"], "prediction": answer}) for record in records]
    else:
        num_rows = len(gold.read_text(encoding="utf-8").splitlines()) - (gold.parent.name != "CoLA")
        lines = ["index\tprediction", *(f"{number}\t{answer}" for number in range(num_rows))]
    predictions.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return gold, predictions


OFFICIAL = {
    "snli": ("snli/snli_1.0_dev.jsonl", "neutral"),
    "glue/cola": ("glue/CoLA/dev.tsv", "1"),
    "glue/stsb": ("glue/STS-B/dev.tsv", "2.5"),
    "glue/mnli": ("glue/MNLI/dev_matched.tsv", "neutral"),
}


@pytest.mark.parametrize("task", OFFICIAL)
def test_task(make_run, official, tmp_path, task):
    name, answer = OFFICIAL[task]
    check_task(make_run(task, training__max_epochs=1), tmp_path, official=_pair(tmp_path, official / name, answer))


def test_a_task_that_declares_files_must_show_some(make_run, tmp_path):
    with pytest.raises(AssertionError, match="give check_task a gold and a predictions file"):
        check_task(make_run("snli", training__max_epochs=1), tmp_path)
