"""What every core and every task must do, as functions that a plug-in's own tests can call.

`CONTRIBUTING.md` shows both in use.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import pad
from torch.nn.modules.dropout import _DropoutNd
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from atinuke_bench import registry
from atinuke_bench.config import CoreConfig, RunConfig
from atinuke_bench.core.attention_heads import gated, pruned
from atinuke_bench.core.base import Core
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.errors import AtinukeBenchError, DataError
from atinuke_bench.metrics.units import by_unit
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.capabilities import Average
from atinuke_bench.training.evaluate import evaluate
from atinuke_bench.training.example_texts import kept_examples
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.predict import load_predictor
from atinuke_bench.training.prepare import PreparedRun, prepare
from atinuke_bench.training.task import Task
from atinuke_bench.training.train import train_and_evaluate

_VOCAB_SIZE = 40
#: Past every usual end of a table of positions.
_LONGEST = 4100
_TOLERANCE: dict[str, Any] = {"atol": 1e-5, "rtol": 1e-4}


def check_core(config: CoreConfig) -> None:
    """Assert what the harness relies on.

    Shapes, causality, gradients, `inputs_embeds`; that neither padding nor other rows change a real token, in training
    too; that segments are read and every length that is declared; that weights are all there is to a core; that the
    operations it states are those it carries out; and that the attention heads it names are its own.
    """
    torch.manual_seed(0)
    core = build_core(config, _VOCAB_SIZE).eval()
    _check_tensors(core)
    ids = torch.randint(5, _VOCAB_SIZE, (3, 9))
    mask = torch.arange(9) < torch.tensor([9, 5, 1])[:, None]
    ids = ids * mask
    hidden = core(ids, mask)
    assert hidden.shape == (3, 9, core.hidden_size), f"hidden is (batch, length, hidden_size); found {hidden.shape}"
    assert hidden[mask].isfinite().all(), "hidden vectors of real tokens are finite"

    alone = core(ids[1:2, :5], mask[1:2, :5])
    rule = "padding changes no real token; a core that mixes tokens leaves out those where attention_mask is False"
    torch.testing.assert_close(hidden[1:2, :5], alone, **_TOLERANCE, msg=rule)
    if core.is_causal:
        changed = ids.clone()
        changed[0, 8] = 6 if ids[0, 8] != 6 else 7
        assert torch.equal(core(changed, mask)[0, :8], hidden[0, :8]), "a causal core sees no later token"
    embedded = core(None, mask, inputs_embeds=core.token_embedding(ids))
    torch.testing.assert_close(embedded, hidden, **_TOLERANCE, msg="inputs_embeds replace the token embedding")
    if core.takes_segments:
        told = [
            core(ids, mask, segments)[mask] for segments in (torch.zeros_like(ids), (torch.arange(9) > 3).long() * mask)
        ]
        assert not torch.allclose(*told), "segments are told apart, or the core says `takes_segments = False`"

    _check_length(core)
    _check_operations(core)
    _check_attention_heads(core, ids, mask)
    _check_training(config, core.state_dict(), ids, mask)
    core.train()
    core(ids, mask, segment_ids=torch.zeros_like(ids)).square().mean().backward()
    without = [name for name, weight in core.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not without, f"every parameter learns; no gradient reaches {without}"
    assert core.result_version >= 1, "result_version starts at 1"


def _check_attention_heads(core: Core[Any], ids: Tensor, mask: Tensor) -> None:
    """The heads that a core names are its own: with all of them nothing changes, and without one something does."""
    layers = core.attention_layers()
    with torch.no_grad():
        hidden = core(ids, mask)[mask]
        with gated(layers, lambda number, _: torch.ones(layers[number].num_heads)):
            same = torch.equal(core(ids, mask)[mask], hidden)
        assert same, "attention heads whose gates are 1 say what they said before, bit for bit"
        for number, layer in enumerate(layers):
            kept = [[True] * one.num_heads for one in layers]
            kept[number][-1] = False
            with pruned(layers, kept):
                changes = not torch.equal(core(ids, mask)[mask], hidden)
            assert changes, (
                f"layer {number} of attention_layers takes part in the core: without a head something changes"
            )
            rule = "the input of `output` is what the heads say, side by side"
            assert layer.output.in_features % layer.num_heads == 0, f"{rule}; {layer.num_heads} heads do not divide it"


def _check_tensors(core: Core[Any]) -> None:
    """All tensors move to a device with the core, and with its weights another one answers as it does."""
    known = {id(tensor) for tensor in (*core.parameters(), *core.buffers())}
    loose = [
        f"{path}.{name}".lstrip(".")
        for path, module in core.named_modules()
        for name, value in vars(module).items()
        if name not in ("_parameters", "_buffers", "_modules")
        if any(isinstance(one, Tensor) and id(one) not in known for one in tree_leaves(value))
    ]
    assert not loose, f"every tensor of a core is a parameter or a buffer, which move and are stored; found {loose}"
    not_scalar = [name for name, value in core.observables().items() if value.numel() != 1]
    assert not not_scalar, f"what a core watches of itself are scalars; found {not_scalar}"
    torch.manual_seed(1)
    twin = build_core(core.config, _VOCAB_SIZE, is_shell=True).eval()
    twin.load_state_dict(core.state_dict())
    ids = torch.randint(5, _VOCAB_SIZE, (2, 9))
    mask = torch.ones_like(ids, dtype=torch.bool)
    same = torch.allclose(core(ids, mask), twin(ids, mask), **_TOLERANCE)
    assert same, "a core with the same weights gives the same vectors: what else it holds is a buffer that is stored"


def _check_length(core: Core[Any]) -> None:
    """Texts are read to their last token, up to the length that the config declares."""
    limit = core.config.max_length
    length = _LONGEST if limit is None else min(limit, _LONGEST)
    ids = torch.randint(5, _VOCAB_SIZE, (2, 1)).expand(2, length).clone()
    ids[0], ids[1, -1] = ids[1], (ids[1, -1] - 4) % (_VOCAB_SIZE - 5) + 5
    rule = f"a text of {length} tokens is read to its end, or the config's `max_length` says where reading ends"
    try:
        with torch.no_grad():
            last = core(ids, torch.ones_like(ids, dtype=torch.bool))[:, -1]
    # A core meets the end of its positions in any way.
    except Exception as error:
        raise AssertionError(f"{rule} (it is {limit}); found {type(error).__name__}: {error}") from error
    assert last.isfinite().all(), f"{rule}; found vectors that are not finite"
    assert not torch.equal(*last), f"{rule}; the last token changes nothing"


def _check_operations(core: Core[Any]) -> None:
    """What a core states is what is counted: no less, and not many times more, which no counter's blind spot explains.

    Fused kernels, which the counter does not see, are taken apart: it then counts every product of matrices, those of
    attention and of recurrent layers too.
    """
    longest = core.config.max_length or 64
    for length in (min(16, longest), min(64, longest)):
        ids = torch.randint(5, _VOCAB_SIZE, (1, length))
        with _no_fused_kernels(), FlopCounterMode(display=False) as counter:
            core(ids, torch.ones_like(ids, dtype=torch.bool))
        counted, stated = counter.get_total_flops() / length, core.flops_per_token(length)
        rule = f"flops_per_token({length}) is what is carried out, a multiply-add counted as 2"
        assert stated > 0, f"{rule}; found {stated}"
        assert stated >= 0.8 * counted, f"{rule}; found {stated}, and products of matrices alone take {counted:.0f}"
        assert stated <= 4 * counted or not counted, f"{rule} for one token; found {stated}, counted {counted:.0f}"


@contextmanager
def _no_fused_kernels() -> Iterator[None]:
    was_fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the switch of the LSTM's kernel warns of GPUs that are not there
            with torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_fast)


def _check_training(config: CoreConfig, state: dict[str, Any], ids: Tensor, mask: Tensor) -> None:
    """In training neither padding nor other rows change a real token."""
    rates = {name: 0.0 for name in type(config).model_fields if "dropout" in name}
    core = build_core(config.model_copy(update=rates), _VOCAB_SIZE, is_shell=True)
    core.load_state_dict(state)
    for module in core.modules():
        if isinstance(module, _DropoutNd):
            module.p = 0.0
    core.train()

    def hidden(ids: Tensor, mask: Tensor, seed: int = 0) -> Tensor:
        torch.manual_seed(seed)
        with torch.no_grad():
            return core(ids, mask)[1, :5]

    reference = hidden(ids, mask)
    # A core may draw what no dropout rate rules; draws of equal shapes are equal, those of wider rows are not.
    if torch.equal(reference, hidden(ids, mask, seed=1)):
        wider = hidden(pad(ids, (0, 6)), pad(mask, (0, 6)))
        torch.testing.assert_close(reference, wider, **_TOLERANCE, msg="padding changes no real token in training")
    others = ids.clone()
    others[[0, 2]] = (ids[[0, 2]] - 4) % (_VOCAB_SIZE - 5) + 5
    rule = "a row does not depend on the others of its batch in training"
    torch.testing.assert_close(reference, hidden(others * mask, mask), **_TOLERANCE, msg=rule)


def check_task(run: RunConfig, folder: Path, *, official: tuple[Path, Path] | None = None) -> None:
    """Assert that a task gives what the harness and the reports rely on, and that every capability it declares works.

    `run` is carried out twice in `folder`; it should take seconds. A task that declares `files` needs `official`: a
    gold file and a predictions file in its official formats.
    """
    prepared = prepare(run)
    task = prepared.task
    _check_declaration(task, run.task)
    _check_data(prepared)
    quiet = Execution(show_progress=False)
    first = train_and_evaluate(prepared, RunFolder(folder / "first"), quiet)
    second = train_and_evaluate(prepared, RunFolder(folder / "second"), quiet)
    assert first["scores"] == second["scores"], "equal runs have equal scores"
    predictions = [RunFolder(folder / name).predictions.read_bytes() for name in ("first", "second")]
    assert predictions[0] == predictions[1], "equal runs have equal predictions"
    rows = pd.read_parquet(RunFolder(folder / "first").predictions)
    _check_metric(task, first, rows)
    _check_display(prepared, first, rows)
    for examples in prepared.evaluation_splits.values():
        answered = task.floor(prepared.train_examples, examples, prepared.run)
        assert set(answered) == set(examples["id"][:]), "the floor answers every example"
        evaluate(task, examples, answered)
    if not prepared.run.core.is_floor:
        _check_loss(prepared, RunFolder(folder / "first"))
    if task.inputs is not None:
        _check_inputs(task, RunFolder(folder / "first"))
    if task.files is not None:
        _check_files(task, official, folder)
    if task.submission is not None:
        _check_submission(task, rows, folder / "submission")


def _check_declaration(task: Task, name: str) -> None:
    assert task.name == name, f"the task calls itself {task.name!r}"
    assert task.summary, "a task has a summary of one line"
    known = registry.load_metric(name, task.metric.name)
    assert known == task.metric, "the declared metric is found by its name, as `METRICS` has it"
    assert set(task.splits.headline) <= set(task.splits.evaluated), "a headline split is evaluated"
    assert task.group_column is None or task.group_column in task.features, "the group column is a feature"
    assert task.unit is None or task.unit.column in task.features, "the column of the units is a feature"


def _check_data(prepared: PreparedRun) -> None:
    task = prepared.task
    for split, examples in prepared.loaded.splits.items():
        assert examples.features == task.features, f"split {split!r} has the canonical features"
        assert len(set(examples["id"][:])) == len(examples), f"ids of split {split!r} are unique"
        labelled = task.data.labelled(examples)
        assert len(task.data.gold(labelled)) == len(labelled), f"split {split!r}: one right answer an example"
    assert len(prepared.train_examples) > 0, "there is something to learn from"
    positive, answers = getattr(task.metric, "positive", None), task.data.gold(prepared.train_examples)
    assert positive is None or positive in answers, f"the class that F1 is of is a right answer; found {positive!r}"
    options = task.options(prepared.run)
    assert task.data.resolve_options(options, prepared.loaded) == options, "resolved options stay as they are"


def _check_metric(task: Task, result: dict[str, Any], rows: pd.DataFrame) -> None:
    """What a run says of itself follows from the predictions it stored."""
    name = task.metric.name
    for split, figures in result["scores"].items():
        assert name in figures, f"split {split!r} has the primary metric {name!r}"
        own = rows[(rows["split"] == split) & rows["gold"].notna()]
        measured = task.metric.measure(task.metric.read(own))
        score, again, drawn = figures[name], measured.figures[name], measured.sample.value()
        if score is None:
            assert again is None, f"{name} of the stored predictions is none, as it was"
            continue
        assert again is not None, f"{name} of the stored predictions is {score}, as it was"
        assert math.isclose(again, score, abs_tol=1e-6), f"{name} of the stored predictions is {score}; found {again}"
        assert math.isclose(drawn, score, abs_tol=1e-6), f"the sample of all units has {name} {score}; found {drawn}"
        lowest, highest = task.metric.bounds
        assert lowest <= score <= highest, f"{name} lies between {lowest} and {highest}; found {score}"
        stored = task.metric.read(own)
        units = by_unit(task.metric, stored.ids, stored.units, task.metric.sample(stored)).units
        if split == result["split"]:
            num_units = result["resampled"]["num_units"]
            assert len(units) == num_units, f"the run drew {num_units} units; its predictions have {len(units)}"
        assert len(set(units)) == len(units), "unit names are unique, since runs are paired by them"
        for labels in result["slices"][split].values():
            assert all("num" in shown for shown in labels.values()), "a slice says how many it counts"


def _check_display(prepared: PreparedRun, result: dict[str, Any], rows: pd.DataFrame) -> None:
    """Every evaluated example and its stored answers can be shown, and lie in slices that there are."""
    task, display = prepared.task, prepared.task.metric.display
    for split, examples in prepared.evaluation_splits.items():
        own = rows[(rows["split"] == split) & rows["gold"].notna()].set_index("id")
        kept = {
            id_: (json.loads(example), json.loads(slices)) for id_, example, slices in kept_examples(task, examples)
        }
        assert kept.keys() == set(own.index), f"split {split!r}: every labelled example can be kept"
        for id_, (example, slices) in kept.items():
            gold, prediction = str(own.at[id_, "gold"]), str(own.at[id_, "prediction"])
            sizes = {field.name: len(field.text) for field in display.fields(example)}
            assert sizes, f"example {id_!r} has something to show"
            for answer in (display.right(example, gold), display.answer(example, prediction, gold)):
                assert answer.text, f"example {id_!r}: an answer has words"
                lies = all(0 <= mark.start < mark.end <= sizes[mark.field] for mark in answer.marks)
                assert lies, f"example {id_!r}: marks lie in its fields; found {answer.marks}"
            assert slices.keys() <= result["slices"][split].keys(), f"example {id_!r} lies in slices that there are"


def _check_loss(prepared: PreparedRun, folder: RunFolder) -> None:
    """A batch's loss is the mean of those of its parts, weighed by their units, so that processes can share a step."""
    encoded = prepared.encode("train", prepared.train_examples)
    module, data = load_predictor(folder).module.cpu(), BatchDataset(encoded)
    # The shortest and the longest rows, which differ most in units.
    order = np.argsort(encoded.lengths, kind="stable")
    parts = [part for part in (order[:3], order[3:][-2:]) if len(part)]
    batch = data[np.concatenate(parts)]
    with torch.no_grad():
        whole, total = module.loss(batch), module.num_units(batch)
        losses = torch.stack([module.loss(data[part]) for part in parts])
        units = torch.stack([module.num_units(data[part]) for part in parts])
    assert whole.shape == total.shape == (), "`loss` and `num_units` are scalars"
    assert not total.is_floating_point(), f"units are counted in whole numbers; found {total.dtype}"
    rule = f"a batch has the units of its rows; found {total}, and {units.tolist()} in parts"
    assert torch.equal(units.sum(), total), rule
    mean = (losses * units).sum() / total.clamp(min=1)
    rule = f"`loss` is the mean over `num_units`; found {whole} for a batch, and {mean} from its parts"
    assert torch.allclose(whole, mean, **_TOLERANCE), rule


def _check_inputs(task: Task, folder: RunFolder) -> None:
    inputs = task.require("inputs")
    assert set(inputs.example) <= set(inputs.fields), "the example has only fields that are declared"
    predictor = load_predictor(folder)
    answers, again = (predictor.predict([inputs.example]) for _ in range(2))
    assert len(answers) == 1, "one answer a record"
    assert answers == again, "equal records have equal answers"
    json.dumps([answer.as_record() for answer in answers])
    _require_error(DataError, "a record without fields is refused", lambda: predictor.predict([{}]))


def _check_files(task: Task, official: tuple[Path, Path] | None, folder: Path) -> None:
    assert official is not None, "the task declares official files: give check_task a gold and a predictions file"
    gold, predictions = official
    files = task.require("files")
    figures = files.score(gold, predictions)
    assert figures, "official files have figures"
    json.dumps(figures)
    missing = folder / "no such file"
    for pair in ((missing, predictions), (gold, missing)):
        _require_error(AtinukeBenchError, "a missing file is one line", lambda pair=pair: files.score(*pair))


def _check_submission(task: Task, rows: pd.DataFrame, folder: Path) -> None:
    submission = task.require("submission")
    folder.mkdir()
    for split, own in rows.groupby("split"):
        answers = list(zip(own["id"], own["prediction"], strict=True))
        path = submission.write(folder, str(split), dict(answers))
        if path is None:
            continue
        assert path.name in submission.files, f"{path.name} is a file of the submission"
        whole = path.read_bytes()
        submission.write(folder, str(split), dict(answers[:-1]))
        assert len(path.read_bytes()) < len(whole), (
            "a submission answers every example: without the last one it is less"
        )
    for average in submission.averages([]).values():
        assert isinstance(average, Average), "an average is an `Average`"
        assert average.score is None, "an average of nothing is missing"
        assert average.missing, "what an average lacks is named"


def _require_error(kind: type[Exception], rule: str, act: Any) -> None:
    try:
        act()
    except kind:
        return
    raise AssertionError(rule)
