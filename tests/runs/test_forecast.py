"""What a suite will take: probes multiplied by its data, on workers side by side; nothing of the store changes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from atinuke_bench.config import make_run_config
from atinuke_bench.runs.cells import CellState
from atinuke_bench.runs.forecast import forecast as module
from atinuke_bench.runs.forecast.calibrate import Calibration
from atinuke_bench.runs.forecast.forecast import forecast, group_of, wishes_for
from atinuke_bench.runs.forecast.probe import CoreCost, DataCost, Probe, step_flops
from atinuke_bench.runs.forecast.seconds import Line, Seconds
from atinuke_bench.runs.grid import Cell, expand, read_suite


def second(number):
    return Seconds(number, number)


DATA = DataCost(
    load=Line(second(1.0), second(0.001)),
    tokenizer=Line(second(2.0)),
    encode=Line(second(0.0), second(0.01)),
    num_train=900, num_selection=100, num_evaluated=200, num_read=1200, num_test=200, num_units=50,
    lengths=np.full(10, 20), num_inputs=np.ones(10, dtype=np.int64), num_sampled=10,
)  # fmt: skip
CORE = CoreCost(step=second(0.1), select=second(0.01), evaluate=second(0.02), epoch=second(0.5), once=second(3.0),
                bytes_each=10.0, bytes_once=1000.0, bytes_training=3000.0)  # fmt: skip


def states_of(name, **changed):
    suite = read_suite(name).model_copy(update=changed)
    assert suite.source is not None
    return [CellState(cell, cell.path) for cell in expand(suite, suite.source)]


@pytest.fixture
def measured(monkeypatch):
    """Every run that is asked for costs the same."""
    asked = []

    def calibrate(wishes, slots, seconds, execution):
        asked.extend(wishes)
        return Calibration({wish.key: Probe(DATA, CORE, second(0.5)) for wish in wishes})

    monkeypatch.setattr(module, "calibrate", calibrate)
    return asked


def test_a_run_costs_its_start_its_data_its_steps_and_its_evaluation(measured):
    state = next(state for state in states_of("smoke") if state.cell.variant == "bilstm")
    (one,) = forecast([state], 1, second(10.0)).runs
    epochs, batch_tokens = state.cell.run.training.max_epochs, state.cell.run.training.batch_tokens
    steps = np.ceil(900 / (batch_tokens // 20)) * epochs
    assert one.num_steps == steps
    assert one.planned is not None
    assert one.planned.before == second(0.5 + 1.0 + 0.001 * 1200)
    assert one.planned.shared.wall == pytest.approx(2.0 + 0.01 * 1200)
    assert one.planned.rest.wall == pytest.approx(3.0 + 0.02 * 200 + epochs * 0.5 + epochs * 100 * 0.01 + steps * 0.1)
    assert one.num_bytes == 1000 + 200 * 10
    assert one.flops == pytest.approx(steps * step_flops(state.cell.run, 20))


def test_seeds_share_a_probe_and_finished_runs_cost_nothing(measured):
    states = states_of("smoke")
    whole = forecast(states, 2, second(0.0))
    assert len(measured) == 3
    for state in states[:6]:
        state.status = "finished"
    half = forecast(states, 2, second(0.0))
    assert half.seconds.processor < whole.seconds.processor
    assert len(half.waiting) == 6
    assert [one.planned for one in half.runs[:6]] == [None] * 6
    assert forecast([replace(state, status="finished") for state in states], 2, second(9.0)).seconds == Seconds()


def test_workers_side_by_side_take_half_the_time_and_as_much_of_processors(measured):
    states = states_of("smoke", seeds=[0, 1, 2, 3, 4, 5, 6, 7])
    alone, together = (forecast(states, slots, second(0.0)).seconds for slots in (1, 2))
    assert together.processor == alone.processor
    assert alone.wall / 2 < together.wall < 0.6 * alone.wall


def test_what_was_not_measured_lies_between_what_was(monkeypatch):
    runs = [make_run_config("snli", "atinuke", preset=preset) for preset in ("nano", "micro", "mini")]
    states = [CellState(Cell(run.core.label(), run), str(run)) for run in runs]
    times = {group_of(run): second(number) for run, number in zip(runs, (0.1, None, 0.9), strict=True) if number}

    def calibrate(wishes, slots, seconds, execution):
        required = [wish.run.core.preset for wish in wishes if wish.is_required]
        assert required == ["nano", "mini"]
        return Calibration({key: Probe(DATA, replace(CORE, step=step), second(0.1)) for key, step in times.items()})

    monkeypatch.setattr(module, "calibrate", calibrate)
    found = forecast(states, 1, second(0.0)).runs
    assert [one.basis for one in found] == ["measured", "interpolated", "measured"]
    low, middle, high = (step_flops(run, 64) for run in runs)
    seen = [one.planned.rest.wall for one in found if one.planned is not None]
    assert (seen[1] - seen[0]) / (seen[2] - seen[0]) == pytest.approx((middle - low) / (high - low))


def test_a_core_compares_with_another_as_on_the_task_that_both_were_measured_on(monkeypatch):
    states = [state for state in states_of("quick", seeds=[0]) if state.cell.variant != "majority"]
    paths = {group_of(state.cell.run): state.cell.path for state in states}
    seen = {"snli/bilstm/0": 0.1, "snli/atinuke/0": 0.3, "coref/bilstm/0": 1.0}

    def calibrate(wishes, slots, seconds, execution):
        return Calibration(
            {
                key: Probe(DATA, replace(CORE, step=second(seen[path])), second(0.1))
                for key, path in paths.items()
                if path in seen
            }
        )

    monkeypatch.setattr(module, "calibrate", calibrate)
    chosen = [state for state in states if state.cell.run.task in ("snli", "coref")]
    found = {one.state.cell.path: one for one in forecast(chosen, 1, second(0.0)).runs}
    one, other = found["coref/atinuke/0"], found["coref/bilstm/0"]
    assert one.basis == "interpolated"
    assert one.planned is not None
    assert other.planned is not None
    more = 2.0 * other.num_steps + 2 * (2 * 100 * 0.01 + 200 * 0.02)
    assert one.planned.rest.wall - other.planned.rest.wall == pytest.approx(more)


def test_every_task_and_the_extremes_of_each_core_are_required():
    suite = read_suite("quick")
    assert suite.source is not None
    groups = {group_of(cell.run): cell.run for cell in expand(suite, suite.source)}
    wishes = wishes_for(groups)
    assert len(wishes) == len(groups)
    required = [wish.run for wish in wishes if wish.is_required]
    assert {run.task for run in required} == set(suite.tasks)
    assert {run.core.name for run in required} >= {"bilstm", "atinuke"}
    assert len(required) < len(groups)


def test_a_plan_measures_says_what_it_assumes_and_leaves_no_trace(cli, tmp_path):
    file, store = tmp_path / "suite.yaml", tmp_path / "store"
    file.write_text(
        "name: small\nsource: {kind: microworld}\ntasks: [glue/wnli]\nseeds: [0, 1]\n"
        "cores: {floor: {core: majority}, ours: {core: bilstm, preset: nano}}\n"
        "overrides: {source.microworld.train: 400, training.max_epochs: 1}\n"
    )
    done = cli("plan", file, "--out", store, "--workers", 1, "--price", 2, "--json", "--calibration", 1)
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert (found["runs"], found["to_do"], found["unknown"]) == (4, 4, 0)
    assert [cell["basis"] for cell in found["cells"]] == ["measured"] * 4
    assert found["cells"][1]["steps"] > 0
    assert found["processor_seconds"] > 0
    assert found["cost"] == pytest.approx(found["seconds"] / 3600 * 2)
    assert found["kilowatt_hours"] == pytest.approx(found["seconds"] / 3600 * found["watts"] / 1000)
    assert found["detectable"][0]["units"] == 1000
    dry = cli("suite", file, "--out", store, "--workers", 1, "--dry-run")
    assert dry.out.count("waiting, about") == 4, dry.out
    assert not store.exists()


def test_what_another_suite_has_finished_is_done(cli, tmp_path):
    store = tmp_path / "store"
    for name in ("first", "second"):
        (tmp_path / f"{name}.yaml").write_text(
            f"name: {name}\nsource: {{kind: microworld}}\ntasks: [glue/wnli]\nseeds: [0, 1]\n"
            "cores: {floor: {core: majority}}\noverrides: {source.microworld.train: 40}\n"
        )
    arguments = ("--out", store, "--workers", 1)
    assert cli("suite", tmp_path / "first.yaml", *arguments, "--only", "*/*/0", "--wandb", "disabled").status == 0
    before = sorted(store.rglob("*"))
    found = json.loads(cli("plan", tmp_path / "second.yaml", *arguments, "--json").out)
    assert [cell["status"] for cell in found["cells"]] == ["finished", "waiting"]
    shown = cli("plan", tmp_path / "second.yaml", *arguments, "--only", "*/*/0")
    assert "done" in shown.out
    assert "1 runs, none to do" in shown.out
    assert sorted(store.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quik"], "nearest: 'quick'"),
        (["smoke", "--detect", "0"], "--detect is a number of points above 0"),
        (["smoke", "--price", "-1"], "--price is a number of at least 0; found -1"),
        (["smoke", "--watts", "nan"], "--watts is a number of at least 0; found nan"),
        (["smoke", "--reference", "bilstn"], "no column 'bilstn'; nearest: 'bilstm'"),
    ],
)
def test_mistakes_end_in_one_line(cli, tmp_path, arguments, message):
    done = cli("plan", *arguments, "--out", tmp_path)
    assert done.status == 2
    assert message in done.err
    assert done.err.count("\n") == 1
