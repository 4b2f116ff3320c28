"""The finals of a study, worked out from its trials: who gets further seeds, and when they are over."""

import math
from types import SimpleNamespace

from atinuke_bench.sweeps.finals import FIRST, Duels
from atinuke_bench.sweeps.race import Difference


def finished(number, value, params, **attributes):
    return SimpleNamespace(
        number=number,
        params=params,
        values=[value],
        intermediate_values={},
        user_attrs=attributes,
        state=SimpleNamespace(name="COMPLETE"),
    )


def carried_out(values, num_seeds=3, error=1.0, failing=()):
    """The finals of trials with these scores a seed: whom each seed was given to, and how they end.

    Two means differ by an error of the luck alone.
    """

    def judge(ours, theirs):
        return Difference(ours.mean() - theirs.mean(), error * math.sqrt(1 / len(ours.trials) + 1 / len(theirs.trials)))

    trials = [finished(number, own[0], {"place": number}) for number, own in enumerate(values)]
    duels = Duels(judge, num_seeds, higher_is_better=True)
    taken = []
    while (state := duels.state(trials)).next:
        number, offset = state.next
        taken.append((number, offset))
        trials.append(finished(len(trials), values[number][offset], {}, confirms=number, seed_offset=offset))
        if (number, offset) in failing:
            trials[-1].state.name = "FAIL"
    return taken, state


def test_before_any_second_seed_is_known_the_first_trials_get_one_whatever_the_test_says():
    taken, state = carried_out([[70, 60, 60], [60, 72, 72], [50, 50, 50], [40, 99, 99], *[[10.0] * 3] * 4])
    assert taken[:FIRST] == [(0, 1), (1, 1), (2, 1)]
    assert (3, 1) not in taken
    assert state.survivors[0].number == 1


def test_the_closest_challenger_and_the_leader_get_the_seeds():
    close = [[70.0, 70.0, 70.0, 70.0, 70.0], [69.9, 69.9, 69.9, 69.9, 69.9], [60.0] * 5, [30.0] * 5]
    taken, state = carried_out([*close, *[[20.0] * 5] * 20], num_seeds=5)
    assert [number for number, _ in taken[FIRST:]] == [1, 0, 1, 0, 1, 0]
    assert [one.number for one in state.survivors] == [0, 1]
    assert {one.number for one in state.finalists} == {0, 1, 2}


def test_one_whose_second_seed_is_worse_makes_room_for_one_that_had_none():
    values = [[70.0, 50.0], [69.0, 60.0], [68.0, 66.0], [67.0, 69.0], *[[20.0] * 2] * 20]
    taken, state = carried_out(values, num_seeds=2)
    assert (3, 1) in taken
    assert state.survivors[0].number == 3


def test_finals_end_with_the_runs_they_may_have():
    same = [[70.0 + number / 100] * 9 for number in range(24)]
    for num_seeds, searched, most in ((5, 24, 12), (9, 24, 12), (3, 24, 9), (5, 8, 4), (5, 4, 3)):
        taken, _ = carried_out(same[:searched], num_seeds=num_seeds)
        assert len(taken) == most


def test_one_that_is_alone_needs_no_further_seed():
    taken, state = carried_out([[70, 70, 70]])
    assert (taken, [one.number for one in state.survivors]) == ([], [0])


def test_a_run_that_comes_to_nothing_leaves_the_seed_to_the_other_one():
    taken, state = carried_out([[70.0] * 3, [69.0] * 3, *[[20.0] * 3] * 20], failing={(1, 1)})
    assert [seed for number, seed in taken if number == 1] == [1]
    assert (0, 2) in taken
    assert state.next is None


def test_nobody_gets_two_seeds_at_a_time():
    trials = [finished(number, 70.0 - number / 100, {"place": number}) for number in range(24)]
    duels = Duels(lambda ours, theirs: Difference(0.0, 1.0), 5, higher_is_better=True)
    for number in range(FIRST):
        trials.append(finished(len(trials), 70.0, {}, confirms=number, seed_offset=1))
    begun = []
    while (state := duels.state(trials)).next:
        begun.append(state.next[0])
        trials.append(finished(len(trials), None, {}, confirms=begun[-1], seed_offset=state.next[1]))
        trials[-1].state.name = "RUNNING"
    assert state.waits
    assert len(begun) == len(set(begun)) > 4
