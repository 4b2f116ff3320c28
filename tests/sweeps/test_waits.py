"""What takes long is done while other processes may use a study's database."""

from __future__ import annotations

from typing import Any

import pytest

from atinuke_bench.errors import StorageError
from atinuke_bench.sweeps import warm_start as beginnings
from atinuke_bench.sweeps.assignments import Assigned, Infeasible
from atinuke_bench.sweeps.foreseen import PARAMETERS, Foreseen
from atinuke_bench.sweeps.judging import Judging
from atinuke_bench.sweeps.storage import Storage
from atinuke_bench.sweeps.study import Study


@pytest.fixture
def unlocked(monkeypatch):
    """`unlocked(study, owner, name)`: a function of `owner` fails where the study's process keeps others waiting; the
    list of its calls."""
    monkeypatch.setattr("atinuke_bench.sweeps.storage.LOCK_SECONDS", 0.0)
    opened = []

    def watch(study: Study, owner: Any, name: str) -> list[Any]:
        other, calls, known = Storage(study.storage.url), [], getattr(owner, name)
        opened.append(other)

        def watched(*given: Any, **more: Any) -> Any:
            calls.append(given)
            with other.exclusive():
                return known(*given, **more)

        monkeypatch.setattr(owner, name, watched)
        return calls

    yield watch
    for storage in opened:
        storage.close()


def test_the_watch_sees_a_lock(study, unlocked):
    tiny = study()
    unlocked(tiny, Judging, "finals")
    with pytest.raises(StorageError, match="locked for more than 0 s"), tiny.storage.exclusive():
        tiny.finals()


def test_nobody_waits_for_what_a_trial_will_cost(study, unlocked, config):
    costs = Foreseen()
    limit = costs.cost(config().make_run({"core.num_layers": 2}))[PARAMETERS]
    tiny = study(at_most={PARAMETERS: limit}, sampler="random")
    calls = unlocked(tiny, Foreseen, "cost")
    drawn = [tiny.ask({"worker": "one"}) for _ in range(8)]
    assert {type(one) for one in drawn} == {Assigned, Infeasible}
    assert len(calls) == len(drawn)


def test_nobody_waits_while_a_race_is_judged(study, unlocked, sweep):
    tiny = study(pruner="race", budget={"trials": 2})
    calls = unlocked(tiny, Judging, "is_shown_worse")
    sweep(tiny)
    assert calls


@pytest.mark.parametrize("name", ["_fingerprint", "_data_of", "_points", "_open_sources"])
def test_nobody_waits_while_what_others_found_is_read(study, unlocked, sweep, name: str):
    sweep(study(name="first", pruner="none", budget={"trials": 2}))
    then = study(name="then", pruner="none", warm_start=("first",))
    calls = unlocked(then, beginnings, name)
    assert len(beginnings.warm_start(then)) == 1
    assert calls
