"""Every task says what a causal core can see when it answers, and results of other cores say nothing of it."""

from __future__ import annotations

import pytest

from atinuke_bench import registry
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.records import result_record


@pytest.mark.parametrize("name", registry.task_names())
def test_a_task_says_what_a_causal_core_can_see(name):
    view = registry.load_task(name).causal_view
    assert view
    assert view[0].islower(), "it goes on after a colon"
    assert not view.endswith("."), "and the report ends the sentence"


def test_results_of_causal_cores_alone_say_it(make_run):
    views = {}
    for causal in (True, False):
        prepared = prepare(make_run("snli", core__causal=causal))
        views[causal] = result_record(prepared, {})["causal_view"]
    assert views == {True: registry.load_task("snli").causal_view, False: None}
