"""A training step on a GPU asks it nothing: to read a value, or a shape that depends on values, is to wait for it.

torch's `meta` device, which every machine has, holds no values: what would read one raises. A watch adds what that
device lets pass: numbers that are sent from the host, and masks that are assigned to.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from atinuke_bench.config import MicroworldConfig, SourceConfig, find_task, make_run_config
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.training import selection
from atinuke_bench.training.feed import move, with_sizes
from atinuke_bench.training.parts import Parts
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.selection import EpochSelection

DEVICE = torch.device("meta")
#: A task of every kind of loss, and cores of every kind.
CASES = {
    "classes": ("snli", "transformer", {}),
    "score": ("glue/stsb", "atinuke", {}),
    "squad": ("squad-v2.0", "transformer", {}),
    "squad, token": ("squad-v1.1", "atinuke", {"options.overlap": "token"}),
    "coref": ("coref", "transformer", {}),
    "coref, causal": ("coref", "atinuke", {}),
    "srl": ("srl", "transformer", {}),
    "srl, indicator": ("srl", "transformer", {"options.predicate_feature": "indicator", "options.pooling": "first"}),
    "masked": ("lm", "bilstm", {}),
    "causal": ("lm", "atinuke", {}),
    "choice": ("choice", "transformer", {}),
    "chunks": ("tagging.yaml", "transformer", {}),
    "tags": ("tagging.yaml", "atinuke", {"options.scheme": "plain", "options.pooling": "first"}),
}


class _Sent(TorchFunctionMode):
    """Refuses numbers of Python that become a tensor on the device: the copy is waited for."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        device = torch.device((kwargs or {}).get("device") or "cpu")
        assert function not in (torch.tensor, torch.as_tensor) or device.type == "cpu", "numbers are sent to the device"
        return function(*args, **(kwargs or {}))


class _Copied(TorchDispatchMode):
    """Refuses copies between host and device, and assignments to a mask, whose places must be read."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        if name in ("_to_copy", "copy_"):
            devices = {part.device.type for part in (*args, result) if isinstance(part, Tensor)}
            assert len(devices) == 1, "a tensor is copied between host and device"
        if name.startswith(("index_put", "_index_put")):
            masks = [part for part in args[1] if part is not None and part.dtype in (torch.bool, torch.uint8)]
            assert not masks or args[2].ndim == 0, "the places of a mask are read"
        return result


@contextmanager
def no_wait(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Raises inside where a GPU would be waited for."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # which knows no such device
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *_: False)
    with ExitStack() as stack:
        stack.enter_context(_Sent())
        stack.enter_context(_Copied())
        yield


def assign(values: Tensor, mask: Tensor) -> None:
    values[mask] = torch.ones(3, device=values.device)


WAITS: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda values: values.sum().item(),
    "int": lambda values: int(values.max()),
    "bool": lambda values: bool((values > 0).any()),
    "list": lambda values: values.tolist(),
    "nonzero": lambda values: values.nonzero(),
    "mask": lambda values: values[values > 0],
    "assigned mask": lambda values: assign(values, values > 0),
    "select": lambda values: values.masked_select(values > 0),
    "bincount": lambda values: values.long().bincount(minlength=3),
    "repeats": lambda values: values.repeat_interleave(values.long()),
    "to host": lambda values: values.cpu(),
    "to device": lambda values: values + torch.ones(3).to(values.device),
    "number": lambda values: torch.tensor(3, device=values.device),
}


@pytest.mark.parametrize("name", WAITS)
def test_the_watch_sees_what_a_gpu_would_be_waited_for(name, monkeypatch):
    values = torch.zeros(3, device=DEVICE)
    with pytest.raises((AssertionError, RuntimeError, NotImplementedError)), no_wait(monkeypatch):
        WAITS[name](values)


@pytest.fixture
def declared(tmp_path):
    """A folder with the tasks that files declare."""
    lines = [json.dumps({"words": ["Ada", "is", "in"] * n, "tags": ["B-PER", "O", "O"] * n}) for n in range(1, 13)]
    (tmp_path / "words.jsonl").write_text("\n".join(lines))
    (tmp_path / "tagging.yaml").write_text("name: words\nkind: tagging\nsplits: {train: words.jsonl}\n")
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_no_training_step_waits_for_a_gpu(case, choice_file, declared, monkeypatch):
    task, core, options = CASES[case]
    task, declaration = find_task(str(choice_file) if task == "choice" else task, declared)
    run = make_run_config(
        task,
        core,
        preset="nano",
        source=SourceConfig(kind="microworld", microworld=MicroworldConfig(train=20, dev=4, test=4)),
        overrides={"tokenizer.vocab_size": 300, "training.max_length": 32, **options},
        declaration=declaration,
    )
    prepared = prepare(run)
    run = prepared.run
    module = prepared.task.model.build(build_core(run.core, prepared.tokenizer.get_vocab_size()), run).to(DEVICE)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda number: number)
    encoded = prepared.encode("train", prepared.train_examples)
    batch = BatchDataset(encoded, DEVICE)[np.arange(4)]
    batch = move(with_sizes(batch, module.row_sizes(batch)), DEVICE)
    for num_processes, parts in ((1, Parts()), (2, Parts(batch["input_ids"].numel() // 2)), (2, Parts(adapts=True))):
        trainer = SimpleNamespace(world_size=num_processes, global_step=1, current_epoch=0, is_last_batch=False)
        monkeypatch.setattr(module, "_trainer", trainer)
        module.parts = parts
        with no_wait(monkeypatch):
            module.training_step(batch, 1).backward()  # the first of each 16 steps reads the loss
            module.configure_gradient_clipping(None, run.training.gradient_clip)


@pytest.mark.parametrize(("device", "steps"), [("cuda", [16, 32]), ("cpu", list(range(1, 41)))])
def test_processes_that_share_gpus_ask_each_other_at_every_16th_step(make_run, monkeypatch, device, steps):
    nothing: Any = None
    task = SimpleNamespace(metric=SimpleNamespace(higher_is_better=True))
    prepared: Any = SimpleNamespace(task=task, run=make_run(), selection_examples=None)
    callback = EpochSelection(prepared, nothing, nothing, nothing, None, nothing, checkpoint_minutes=30)
    trainer: Any = SimpleNamespace(world_size=2)
    module: Any = SimpleNamespace(device=torch.device(device))
    callback._saved = time.perf_counter()
    asked: list[int] = []

    def any_of(wishes, _):
        asked.append(callback._num_steps)
        return wishes

    monkeypatch.setattr(selection, "any_of", any_of)
    for callback._num_steps in range(1, 41):
        callback._save_if_asked(trainer, module)
    assert asked == steps
