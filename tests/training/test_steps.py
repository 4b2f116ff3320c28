"""One step, however many processes share its batch: the gradient of the mean over all its units."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from atinuke_bench import testing
from atinuke_bench.config import MicroworldConfig, SourceConfig, find_task, make_run_config
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import (
    BatchDataset,
    TokenBudgetSampler,
    input_sizes,
    make_loader,
    num_tokens_at_once,
)
from atinuke_bench.data.features import Encoded
from atinuke_bench.errors import DeviceMemoryError
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.parts import Parts, parts_for
from atinuke_bench.training.prepare import prepare

#: A task of every kind of loss, with a core that serves it.
FAMILIES = {
    "snli": ("snli", "transformer"),
    "score": ("glue/stsb", "transformer"),
    "squad": ("squad-v2.0", "transformer"),
    "coref": ("coref", "transformer"),
    "srl": ("srl", "transformer"),
    "masked": ("lm", "transformer"),
    "causal": ("lm", "atinuke"),
    "choice": ("choice", "transformer"),
}


def run_of(task: str, core: str, **overrides: Any) -> Any:
    """A run of seconds on generated data or, for a file that declares a task, on its own, without dropout."""
    task, declaration = find_task(task)
    settings = {"core.dropout": 0.0, "tokenizer.vocab_size": 300, "training.max_length": 64}
    settings |= {"options.dropout": 0.0, "training.batch_tokens": 4096} if task == "coref" else {}
    return make_run_config(
        task,
        core,
        preset="nano",
        source=SourceConfig(kind="microworld", microworld=MicroworldConfig(train=40, dev=8, test=8)),
        overrides=settings | overrides,
        declaration=declaration,
    )


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, choice_file: Path) -> tuple[TaskModule, Encoded]:
    """A new module and the rows it learns from."""
    torch.manual_seed(0)
    task, core = FAMILIES[request.param]
    prepared = prepare(run_of(str(choice_file) if task == "choice" else task, core))
    run = prepared.run
    module = prepared.task.model.build(build_core(run.core, prepared.tokenizer.get_vocab_size()), run)
    return module, prepared.encode("train", prepared.train_examples)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`processes(module, batches)`: the gradient (float64, flat) and the loss of processes that share a step."""

    def share(module: TaskModule, batches: list[dict[str, torch.Tensor]]) -> tuple[torch.Tensor, float]:
        trainer = SimpleNamespace(world_size=len(batches), global_step=0, current_epoch=0, is_last_batch=False)
        monkeypatch.setattr(module, "_trainer", trainer)
        asked: list[torch.Tensor] = []
        # First every process says what it has to add, then each gets the sum.
        monkeypatch.setattr(torch.distributed, "all_reduce", lambda number: asked.append(number.clone()))
        for batch in batches:
            module.training_step(batch, 0)
        total = torch.stack(asked).sum() if asked else torch.zeros(())
        monkeypatch.setattr(torch.distributed, "all_reduce", lambda number: number.copy_(total))
        gradient, loss = torch.zeros((), dtype=torch.float64), 0.0
        for batch in batches:
            module.zero_grad()
            module.training_step(batch, 0).backward()
            gradient = gradient + flat_gradient(module) / len(batches)  # as DDP does
            loss += module.step_loss.item()
        return gradient, loss

    return share


def flat_gradient(module: TaskModule) -> torch.Tensor:
    """All gradients, zero where a parameter has none."""
    found = [weight.grad if weight.grad is not None else torch.zeros_like(weight) for weight in module.parameters()]
    return torch.cat([gradient.flatten() for gradient in found]).double()


def size_of(batch: dict[str, torch.Tensor]) -> int:
    """Tokens that a batch is computed as."""
    return num_tokens_at_once(batch, input_sizes(batch))


def shards_of(encoded: Encoded, budget: int, num_shards: int, num_steps: int) -> Iterator[list[np.ndarray]]:
    """The rows of each shard in the first steps of an epoch."""
    samplers = [
        TokenBudgetSampler(encoded.lengths, budget, seed=1, shard=shard, num_shards=num_shards)
        for shard in range(num_shards)
    ]
    for _, rows in zip(range(num_steps), zip(*samplers, strict=True), strict=False):
        yield list(rows)


@pytest.mark.parametrize("num_shards", [2, 3, 8])
@pytest.mark.parametrize("rows_a_batch", [11, 2])
def test_shards_of_a_batch_have_its_gradient_together(family, processes, num_shards, rows_a_batch):
    module, encoded = family
    data = BatchDataset(encoded)
    budget = rows_a_batch * int(encoded.lengths.max())
    for rows in shards_of(encoded, budget, num_shards, num_steps=2):
        whole = np.concatenate(rows)
        assert len(np.unique(whole)) == len(whole), "no row has two shards"
        expected, loss = processes(module, [data[whole]])
        found, shared_loss = processes(module, [data[own] for own in rows])
        assert (found - expected).norm() <= 1e-5 * expected.norm()
        assert shared_loss == pytest.approx(loss, rel=1e-5)


def test_where_no_row_fits_into_the_tokens_of_a_part_each_row_is_one(family, processes, monkeypatch):
    module, encoded = family
    batch = BatchDataset(encoded)[np.arange(3)]
    expected, loss = processes(module, [batch])
    monkeypatch.setattr(module, "parts", Parts(1))
    found, loss_of_parts = processes(module, [batch])
    assert [part["rows"].tolist() for part in module.parts.cut(batch)] == [[0], [1], [2]]
    assert (found - expected).norm() <= 1e-5 * expected.norm()
    assert loss_of_parts == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("num_parts", [2, 4])
@pytest.mark.parametrize("num_shards", [1, 3])
@pytest.mark.parametrize("adapts", [False, True])
def test_parts_of_a_batch_have_its_gradient_together(family, processes, monkeypatch, num_shards, num_parts, adapts):
    module, encoded = family
    data = BatchDataset(encoded)
    (rows,) = shards_of(encoded, 11 * int(encoded.lengths.max()), num_shards, num_steps=1)
    whole = data[np.concatenate(rows)]
    expected, loss = processes(module, [whole])
    tokens = -(-max(map(len, rows)) // num_parts) * whole["input_ids"].shape[1]
    monkeypatch.setattr(module, "parts", Parts(tokens, adapts=adapts))
    found, shared_loss = processes(module, [data[own] for own in rows])
    assert len(module.parts.cut(whole)) > 1
    assert (found - expected).norm() <= 1e-5 * expected.norm()
    assert shared_loss == pytest.approx(loss, rel=1e-5)


def test_the_wider_rows_of_a_gpu_have_the_same_gradient(family, processes):
    module, encoded = family
    order = np.argsort(encoded.lengths, kind="stable")
    rows = order[encoded.lengths[order] % 8 != 0][:5]
    narrow, wide = (BatchDataset(encoded, torch.device(device))[rows] for device in ("cpu", "cuda"))
    assert any(wide[name].shape != narrow[name].shape for name in encoded.ragged)
    expected, loss = processes(module, [narrow])
    found, wide_loss = processes(module, [wide])
    assert (found - expected).norm() <= 1e-5 * expected.norm()
    assert wide_loss == pytest.approx(loss, rel=1e-5)


def test_a_batch_that_does_not_fit_is_halved_and_this_is_said_once(family, processes, monkeypatch):
    module, encoded = family
    batch = BatchDataset(encoded)[np.arange(6)]
    expected, _ = processes(module, [batch])
    said: list[str] = []
    loss = module.loss

    def of_at_most_two_rows(part):
        if len(part["rows"]) > 2:
            loss(part).backward()  # what a failed attempt leaves behind must not count
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20.00 MiB.")
        return loss(part)

    monkeypatch.setattr(module, "loss", of_at_most_two_rows)
    monkeypatch.setattr(module, "parts", Parts(adapts=True, say=said.append))
    for _ in range(2):
        found, _ = processes(module, [batch])
        assert (found - expected).norm() <= 1e-5 * expected.norm()
    assert len(said) == 1
    assert f"a batch of 6 rows of {size_of(batch) // 6} tokens" in said[0]
    assert f"at most {module.parts.max_tokens} tokens at once" in said[0]
    assert module.parts.max_tokens < size_of(batch) / 2
    monkeypatch.setattr(module, "parts", Parts())
    with pytest.raises(torch.OutOfMemoryError):
        processes(module, [batch])


def test_a_row_that_does_not_fit_is_an_error_of_one_line(family, monkeypatch):
    module, encoded = family

    def never(batch):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(module, "outputs", never)
    monkeypatch.setattr(module, "parts", Parts(adapts=True))
    batch = BatchDataset(encoded)[np.arange(3)]
    longest = max(size_of({name: column[[row]] for name, column in batch.items()}) for row in range(3))
    with pytest.raises(DeviceMemoryError, match=f"one of {longest} tokens .* nearest: a smaller training.max_length"):
        module.raw_outputs(batch)


def test_only_where_memory_can_be_found_too_small_is_it_watched_by_default():
    processor, gpu = torch.device("cpu"), torch.device("cuda")
    assert not parts_for(processor, None, print).adapts
    assert parts_for(gpu, None, print).adapts
    assert parts_for(processor, "auto", print).adapts
    asked = parts_for(gpu, 512, print)
    assert (asked.max_tokens, asked.adapts) == (512, False)


def test_a_batch_is_answered_in_parts(family, monkeypatch):
    module, encoded = family
    module.eval()
    batch = BatchDataset(encoded)[np.arange(5)]
    monkeypatch.setattr(module, "parts", Parts(2 * size_of(batch) // 5))
    with torch.no_grad():
        found = [output["rows"].tolist() for output in module.raw_outputs(batch)]
    assert [row for part in found for row in part] == [0, 1, 2, 3, 4]
    assert found == [[0, 1], [2, 3], [4]] or (encoded.num_inputs > 1).all()
    assert len(found) >= 3


def test_the_conformance_suite_finds_a_loss_that_is_no_mean_over_its_units(family, monkeypatch):
    module, encoded = family
    module.eval()
    monkeypatch.setattr(testing, "load_predictor", lambda folder: SimpleNamespace(module=module))
    prepared: Any = SimpleNamespace(encode=lambda *_: encoded, train_examples=None)
    folder: Any = None
    testing._check_loss(prepared, folder)
    monkeypatch.setattr(module, "num_units", lambda batch: (batch["rows"] + 1).sum())
    with pytest.raises(AssertionError, match="is the mean over `num_units`"):
        testing._check_loss(prepared, folder)
    monkeypatch.setattr(module, "num_units", lambda batch: torch.tensor(3))
    with pytest.raises(AssertionError, match="the units of its rows"):
        testing._check_loss(prepared, folder)


@pytest.mark.parametrize("num_processes", [2, 8, 50])
def test_every_row_is_evaluated_once_on_any_number_of_processes(family, monkeypatch, num_processes):
    """Fifty are more than there are rows in a split: those that are left without one answer nothing."""
    module, encoded = family
    module.eval()

    def answered(num_shards):
        found = []
        for shard in range(num_shards):
            sampler = TokenBudgetSampler(encoded.lengths, 512, seed=None, shard=shard, num_shards=num_shards)
            module.on_validation_epoch_start()
            with torch.no_grad():
                for batch in make_loader(encoded, sampler):
                    module.validation_step(batch, 0)
            found += module._collected
        monkeypatch.setattr("atinuke_bench.training.module.gather_at_first", lambda outputs: found)
        return np.concatenate([output["rows"] for output in module.collected_outputs()])

    assert sorted(answered(num_processes)) == sorted(answered(1)) == list(range(len(encoded)))
