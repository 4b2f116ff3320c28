"""What every core and every task must do, as functions that a plug-in's own tests can call.

from atinuke_bench.testing import check_core, check_task

def test_my_core():
    check_core(MyConfig.from_preset("nano"))
"""

from __future__ import annotations

from pathlib import Path

import torch

from atinuke_bench.config import CoreConfig, RunConfig
from atinuke_bench.core.build import build_core
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

_VOCAB_SIZE = 40
_TOLERANCE = {"atol": 1e-5, "rtol": 1e-4}


def check_core(config: CoreConfig) -> None:
    """Assert what the harness relies on: shapes, padding, causality, gradients, `inputs_embeds`, operation counts."""
    torch.manual_seed(0)
    core = build_core(config, _VOCAB_SIZE).eval()
    ids = torch.randint(5, _VOCAB_SIZE, (3, 9))
    mask = torch.arange(9) < torch.tensor([9, 5, 1])[:, None]
    ids = ids * mask
    hidden = core(ids, mask)
    assert hidden.shape == (3, 9, core.hidden_size), f"hidden is (batch, length, hidden_size); found {hidden.shape}"
    assert hidden[mask].isfinite().all(), "hidden vectors of real tokens are finite"

    alone = core(ids[1:2, :5], mask[1:2, :5])
    torch.testing.assert_close(hidden[1:2, :5], alone, **_TOLERANCE, msg="padding changes no real token")
    if core.is_causal:
        changed = ids.clone()
        changed[0, 8] = 6 if ids[0, 8] != 6 else 7
        assert torch.equal(core(changed, mask)[0, :8], hidden[0, :8]), "a causal core sees no later token"
    embedded = core(None, mask, inputs_embeds=core.token_embedding(ids))
    torch.testing.assert_close(embedded, hidden, **_TOLERANCE, msg="inputs_embeds stand for the token embedding")

    core.train()
    core(ids, mask, segment_ids=torch.zeros_like(ids)).square().mean().backward()
    without = [name for name, weight in core.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not without, f"every parameter learns; no gradient reaches {without}"
    assert core.flops_per_token(16) > 0, "flops_per_token counts something"
    assert core.result_version >= 1, "result_version starts at 1"


def check_task(run: RunConfig, folder: Path) -> None:
    """Assert that a small run of a task gives what the harness and the reports rely on.

    `run` is carried out twice in `folder`; it should take seconds.
    """
    prepared = prepare(run)
    task = prepared.task
    assert task.name == run.task, f"the task calls itself {task.name!r}"
    assert task.summary, "a task has a summary of one line"
    for split, examples in prepared.loaded.splits.items():
        assert examples.features == task.features, f"split {split!r} has the canonical features"
        assert len(set(examples["id"][:])) == len(examples), f"ids of split {split!r} are unique"
    assert len(prepared.train_examples) > 0, "there is something to learn from"

    quiet = Execution(show_progress=False)
    first = train_and_evaluate(prepared, RunFolder(folder / "first"), quiet)
    second = train_and_evaluate(prepared, RunFolder(folder / "second"), quiet)
    assert first["scores"] == second["scores"], "equal runs have equal scores"
    assert _content(folder / "first") == _content(folder / "second"), "equal runs have equal predictions"
    for split, metrics in first["scores"].items():
        assert task.metric.name in metrics, f"split {split!r} has the primary metric {task.metric.name!r}"
    examples = next(iter(prepared.evaluation_splits.values()))
    floor = task.floor(prepared.train_examples, examples, prepared.run)
    assert set(floor) == set(examples["id"][:]), "the floor answers every example"


def _content(folder: Path) -> bytes:
    return RunFolder(folder).predictions.read_bytes()
