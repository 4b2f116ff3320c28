"""What the page shows of examples: texts with marks, and filters by who is right."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from atinuke_bench.examples import write_examples
from atinuke_bench.metrics.display import Display, Field, Mark, ShownAnswer
from atinuke_bench.reports import read_frame
from atinuke_bench.reports.report import Report
from atinuke_bench.reports.sections import disagreements, slice_examples
from atinuke_bench.reports.sections.examples import kept_ranges, show_example
from atinuke_bench.reports.statistics.cells import measure
from atinuke_bench.reports.statistics.comparison import best_against_others
from atinuke_bench.reports.writing.render import render_html

EVIL = "<script>alert(1)</script>\u202e\x1b[31m"


class _Spans(Display):
    """Answers are `start-end label`, one a line."""

    def fields(self, example):
        return [Field("text", example["text"])]

    def right(self, example, gold):
        marks = []
        for line in gold.splitlines():
            place, _, label = line.partition(" ")
            start, _, end = place.partition("-")
            marks.append(Mark("text", int(start), int(end), label))
        return ShownAnswer(gold, tuple(marks))

    def answer(self, example, prediction, gold):
        return self.right(example, prediction)


def _bars(example):
    """Text, and what its bars say, of every piece that has one."""
    ((_, pieces),) = example.fields
    return [(piece.text, [bar and bar.text for bar in piece.lanes]) for piece in pieces if piece.lanes]


def test_answers_that_agree_are_one_bar_and_those_that_do_not_are_apart():
    answers = {"A": "0-3 PER\n9-12 LOC", "B": "0-3 PER\n4-12 LOC"}
    shown = show_example(_Spans(), "x", "a", {"text": "Ada sees Ben now"}, "0-3 PER\n9-12 LOC", answers)
    assert _bars(shown) == [
        ("Ada", ["gold A B PER"]),
        ("sees ", ["B LOC"]),
        ("Ben", ["", "gold A LOC"]),
    ]
    ((_, pieces),) = shown.fields
    assert "".join(piece.text for piece in pieces) == "Ada sees Ben now"
    ends = [(bar.is_gold, bar.is_answer, bar.is_first, bar.is_last) for bar in pieces[-2].lanes if bar]
    assert ends == [(False, True, False, True), (True, True, True, True)]


def test_a_long_text_is_cut_around_what_the_cores_differ_in():
    text = "word " * 500 + "Ada " + "word " * 500 + "Ben"
    shown = show_example(
        _Spans(), "x", "a", {"text": text}, "2500-2503 PER", {"A": "2500-2503 PER", "B": "2504-2508 PER"}
    )
    ((_, pieces),) = shown.fields
    whole = "".join(piece.text for piece in pieces)
    assert "Ada" in whole
    assert "Ben" not in whole
    assert len(whole) < 400
    assert whole.startswith(" … word")
    assert whole.endswith(" …")


def test_so_many_characters_of_a_text_are_kept_at_most():
    marks = [Mark("text", place, place + 5) for place in range(0, 9000, 300)]
    kept = kept_ranges(Field("text", "x" * 10_000), marks, 700)
    assert sum(end - start for start, end in kept) == 700
    assert kept == sorted(kept)


def test_an_example_of_any_size_takes_little_of_the_page():
    example = {f"{'k' * 500} {number}": "word " * 9000 for number in range(400)}
    shown = show_example(Display(), "i" * 9000, "a", example, "g" * 9000, {"A": "a" * 9000, "B": "b\n" * 9000})
    assert len(shown.fields) == 32
    assert max(len(name) for name, _ in shown.fields) == len(shown.id) == 100
    assert max(len(text) for _, text in shown.answers) == 300
    assert shown.cost < 35_000


@pytest.mark.parametrize("example", [None, {}, {"text": 3}, {"text": "Ada"}])
def test_an_example_that_cannot_be_marked_is_shown_by_its_answers(example):
    shown = show_example(_Spans(), "x", "a", example, "0-3 PER", {"A": "nonsense", "B": EVIL})
    assert shown.fields == ()
    assert [text for _, text in shown.answers] == ["0-3 PER", "nonsense", EVIL.replace("\u202e\x1b", "\\u202e\\u001b")]


def test_marks_outside_of_a_text_are_left_out():
    display = _Spans()
    shown = show_example(display, "x", "a", {"text": "Ada"}, "0-3 PER", {"A": "2-9 LOC", "B": "2-2 LOC"})
    assert _bars(shown) == [("Ada", ["gold PER"])]


# --- the page ---------------------------------------------------------------------------------------------------------


def keep_texts(store, folders, examples, slices=None):
    """Keep examples in a store, as runs do, and have the manifests of these runs name them."""
    ids = list(examples)
    rows = {
        "split": ["test"] * len(ids),
        "id": ids,
        "example": [json.dumps(examples[id_]) for id_ in ids],
        "slices": [json.dumps((slices or {}).get(id_, {})) for id_ in ids],
    }
    name = write_examples(store, "snli", rows)
    for folder in folders:
        (folder / "manifest.json").write_text(json.dumps({"data": {"examples": name}}))
    return store / "examples" / name


def make_report(store):
    """The examples of a report, without its figures."""
    frame = read_frame([store])
    cells, _ = measure(frame, num_resamples=20)
    comparisons = best_against_others(cells).comparisons
    found = disagreements.disagreements(frame, comparisons), slice_examples.slice_examples(frame, cells)
    return Report(frame, comparisons=comparisons, disagreements=tuple(found[0]), slice_examples=tuple(found[1]))


@pytest.fixture(name="store")
def _store(tmp_path, write_run):
    """Two cores on pairs whose texts are hostile; the first of each is right more often."""
    folders = [
        write_run(tmp_path, core, seed=seed, right=right, num=60)
        for seed in range(2)
        for core, right in (("atinuke", 0.8), ("bilstm", 0.5))
    ]
    examples = {f"t-{n}": {"sentence1": f"Premise {n}. {EVIL}", "sentence2": f"Hypothesis {n}"} for n in range(60)}
    slices = {f"t-{n}": {"gold label": ["1" if n % 2 == 0 else "0"]} for n in range(60)}
    keep_texts(tmp_path, folders[:1], examples, slices)
    return tmp_path


def test_examples_are_on_the_page_with_their_texts_and_filters(store):
    made = make_report(store)
    (one,) = made.disagreements
    assert (one.a, one.b, one.seed) == ("atinuke-nano", "bilstm-nano", 0)
    assert {example.who for example in one.examples} == {"a", "b"}
    assert one.num_a > one.num_b > 0
    names = [name for name, _ in one.examples[0].fields]
    assert names == ["sentence1", "sentence2"]
    page = render_html(made)
    number = one.examples[0].id.partition("-")[2]
    assert f"Premise {number}. &lt;script&gt;alert(1)&lt;/script&gt;\\u202e\\u001b[31m" in page
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert f"A better ({one.num_a})" in page
    html5lib = pytest.importorskip("html5lib", reason="html5lib is not installed")
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    ids = [element.attrib["id"] for element in tree.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    labels = [element.attrib["for"] for element in tree.iter("label")]
    assert labels
    assert set(labels) <= set(ids)
    assert len([e for e in tree.iter("article") if "example" in e.attrib["class"]]) >= len(one.examples)


def test_slices_show_what_the_best_core_has_wrong_and_right(store):
    (one,) = make_report(store).slice_examples
    assert one.variant == "atinuke-nano"
    assert [(group.slice, group.label) for group in one.groups] == [("gold label", "0"), ("gold label", "1")]
    for group in one.groups:
        assert [example.who for example in group.examples] == ["both", "both", "a"]
        assert group.num_examples == 30
        assert {dict(example.answers)["gold"] for example in group.examples} == {group.label}


def test_both_wrong_in_different_ways_is_a_kind_of_its_own(tmp_path, write_run):
    for core, answer in (("atinuke", "x"), ("bilstm", "y")):
        folder = write_run(tmp_path, core, num=20)
        rows = pd.read_parquet(folder / "predictions.parquet")
        rows.loc[rows["id"] == "t-3", ["prediction", "score"]] = (answer, 0.0)
        rows.to_parquet(folder / "predictions.parquet")
        result = json.loads((folder / "result.json").read_text())
        (folder / "result.json").write_text(json.dumps({**result, "score": 100 * rows["score"].mean()}))
    (one,) = make_report(tmp_path).disagreements
    both = [example for example in one.examples if example.who == "both"]
    assert one.num_both == 1
    answers = dict(both[0].answers)
    assert (both[0].id, answers["gold"], {answers["A"], answers["B"]}) == ("t-3", "0", {"x", "y"})


def _sides(**columns):
    return pd.DataFrame(
        {f"{name}_{side}": pair for name, both in columns.items() for side, pair in zip("ab", both, strict=True)}
    )


def test_of_a_loss_the_lower_one_is_better():
    rows = _sides(score=([1.0, 2.0], [3.0, 2.0]), prediction=(["p", "q"], ["r", "s"]), gold=(["x", "x"], ["x", "x"]))
    assert disagreements._told_apart(rows, higher_is_better=False)["who"].tolist() == ["a", ""]


def test_scores_of_a_hundred_are_all_right_at_a_hundred():
    rows = _sides(
        score=([100.0, 40.0], [100.0, 40.0]), prediction=(["p", "q"], ["r", "s"]), gold=(["x", "x"], ["x", "x"])
    )
    assert disagreements._told_apart(rows, higher_is_better=True)["who"].tolist() == ["", "both"]


def test_of_numbers_the_nearer_one_is_better():
    none = [None, None]
    rows = _sides(score=(none, none), prediction=(["2.5", "4"], ["3.5", "1"]), gold=(["2.0", "1.0"], ["2.0", "1.0"]))
    told = disagreements._told_apart(rows, higher_is_better=True)
    assert told["who"].tolist() == ["a", "b"]


def test_runs_without_texts_are_shown_by_id_and_answers(tmp_path, write_run):
    for core in ("atinuke", "bilstm"):
        write_run(tmp_path, core, num=40)
    made = make_report(tmp_path)
    (one,) = made.disagreements
    assert all(example.fields == () for example in one.examples)
    assert "older runs, or --no-texts" in one.note
    assert one.examples[0].id in render_html(made)
    assert made.slice_examples == ()


def test_a_newer_run_gives_its_texts_to_older_ones(tmp_path, write_run):
    examples = {f"t-{n}": {"sentence1": f"Text {n}"} for n in range(40)}
    for core in ("atinuke", "bilstm"):
        write_run(tmp_path, core, num=40)
    keep_texts(tmp_path, [write_run(tmp_path, "majority", num=40, right=0.4)], examples)
    (one, *_) = make_report(tmp_path).disagreements
    assert {one.a, one.b} == {"atinuke-nano", "bilstm-nano"}
    assert all(example.fields for example in one.examples)


def test_a_damaged_file_of_texts_is_said_and_shows_nothing(store):
    (path,) = (store / "examples").iterdir()
    path.write_bytes(path.read_bytes()[:-4] + b"XXXX")
    made = make_report(store)
    (one,) = made.disagreements
    assert all(example.fields == () for example in one.examples)
    assert "not as it was written" in one.note
    assert "not as it was written" in render_html(made)


def test_a_store_that_moved_keeps_its_texts(store, tmp_path_factory):
    moved = tmp_path_factory.mktemp("moved") / "store"
    shutil.copytree(store, moved)
    shutil.rmtree(store / "examples")
    assert make_report(moved).disagreements[0].examples[0].fields


def test_the_page_has_so_much_room_for_texts(store, monkeypatch):
    monkeypatch.setattr(disagreements, "MOST_BYTES", 3000)
    monkeypatch.setattr(slice_examples, "MOST_BYTES", 1000)
    made = make_report(store)
    kinds = [bool(example.fields) for example in made.disagreements[0].examples]
    assert kinds[0]
    assert not kinds[-1]
    assert "no more room" in made.disagreements[0].note
    assert len(made.slice_examples[0].groups) == 1


def test_compare_shows_the_examples_too(store, cli):
    done = cli("compare", "atinuke", "bilstm", "--runs", store, "--examples", "--json")
    assert done.status == 0, done.err
    first = json.loads(done.out)["examples"][0]
    assert (first["task"], first["better"], first["texts"]["sentence2"]) == (
        "snli",
        "A",
        f"Hypothesis {first['id'].partition('-')[2]}",
    )
    assert first["gold"] == first["A"] != first["B"]
    shown = cli("compare", "atinuke", "bilstm", "--runs", store, "--examples").out
    assert f"sentence2: {first['texts']['sentence2']}" in shown
    assert "\x1b" not in shown
    assert "examples" not in json.loads(cli("compare", "atinuke", "bilstm", "--runs", store, "--json").out)


def test_all_examples_that_differ_are_written_with_the_answers_of_every_seed(store, cli, tmp_path):
    place = tmp_path / "apart.jsonl"
    cli("compare", "atinuke", "bilstm", "--runs", store, "--examples-to", place)
    found = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
    frame = read_frame([store])
    answers = {
        (frame.value(run, "core"), int(frame.value(run, "seed"))): frame.predictions(run).to_pandas().set_index("id")
        for run in frame.runs.index
    }
    apart = set()
    for seed in (0, 1):
        ours, theirs = answers["atinuke", seed], answers["bilstm", seed]
        apart |= set(ours.index[ours["prediction"] != theirs["prediction"].reindex(ours.index)])
    assert {one["id"] for one in found} == apart
    assert [abs(one["gain"]) for one in found] == sorted((abs(one["gain"]) for one in found), reverse=True)
    for one in found:
        assert one["example"]["sentence1"].startswith(f"Premise {one['id'].partition('-')[2]}.")
        assert (one["task"], one["split"], one["gold"]) == ("snli", "test", answers["atinuke", 0]["gold"][one["id"]])
        assert [own["seed"] for own in one["seeds"]] == [0, 1]
        for own in one["seeds"]:
            ours, theirs = (answers[core, own["seed"]]["prediction"][one["id"]] for core in ("atinuke", "bilstm"))
            assert (own["a"], own["b"]) == (ours, theirs)
            assert own["better"] == ("neither" if ours == theirs else "A" if ours == one["gold"] else "B")
