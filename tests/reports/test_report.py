"""A whole report over synthetic runs, and what it says of runs that cannot be read or compared."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from atinuke_bench.cli import app
from atinuke_bench.errors import ConfigError, RunFolderError, UnknownNameError
from atinuke_bench.reports import read_frame
from atinuke_bench.reports.pairwise import compare_sides
from atinuke_bench.reports.report import make_report
from atinuke_bench.reports.sections.headline import NOT_COMPARABLE, blocks_of
from atinuke_bench.reports.statistics.cells import measure
from atinuke_bench.reports.writing.render import render_html, write_report
from atinuke_bench.run_folder import find_runs

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def store(tmp_path_factory, write_run):
    """Two cores and the floor on SNLI, a cut task with an evil name, a damaged, a failed and an unfinished run."""
    store = tmp_path_factory.mktemp("store")
    for seed in range(3):
        write_run(store, "atinuke", seed=seed, right=0.9)
        write_run(store, "transformer", seed=seed, right=0.6)
        write_run(store, "bilstm", task="glue/rte", seed=seed, is_cut=True, label=f"bilstm-{EVIL}")
        write_run(store, "atinuke", task="glue/rte", seed=seed, is_cut=True)
    write_run(store, "majority", right=0.5)
    write_run(store, "atinuke", task="glue/rte", is_cut=True, train_size=50, config="other: 1\n")
    (write_run(store, "broken") / "result.json").write_text('{"schema": 1, "sco')
    failed = write_run(store, "failed")
    (failed / "result.json").unlink()
    (failed / "failure.json").write_text(json.dumps({"class": "diverged", "message": "loss is nan"}))
    (write_run(store, "running") / "result.json").unlink()
    (write_run(store, "unpaired", seed=1) / "predictions.parquet").write_bytes(b"no parquet")
    return store


@pytest.fixture(scope="module")
def report(store, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return write_report([store], out), out


def test_headline_figures_follow_from_the_folders(report, store):
    # Shares no code with the report: plain JSON and parquet.
    expected: dict[tuple[str, str, int], list[float]] = {}
    for path in store.rglob("predictions.parquet"):
        if not (path.parent / "result.json").exists() or b"no parquet" in path.read_bytes():
            continue
        try:
            result = json.loads((path.parent / "result.json").read_text())
        except ValueError:
            continue
        rows = pd.read_parquet(path)
        key = (result["task"], result["core_label"], result["protocol"]["train_size"])
        expected.setdefault(key, []).append(100 * float(np.mean(rows["gold"] == rows["prediction"])))
    made, out = report
    checked = 0
    for table in made.tables:
        if not table.name.startswith("headline"):
            continue
        written = pd.read_csv(out / "tables" / f"{table.name}.csv")
        for row in written[written["task"] != "average"].to_dict("records"):
            size = 50 if "protocol 2" in row["block"] else 100
            scores = expected.get((row["task"], row["core"], size))
            if scores is not None and row["seeds"]:
                assert row["mean"] == pytest.approx(np.mean(scores), abs=1e-9)
                assert row["seeds"] == len(scores)
                checked += 1
    assert checked == 6


def test_marks_only_a_tested_winner(report):
    made, _ = report
    table = next(table for table in made.tables if table.name.startswith("headline") and not table.is_flagged)
    own = table.data[table.data["task"] == "snli"].set_index("core")["mark"]
    # A run whose predictions cannot be read is not tested: the highest mean beats all others but this one.
    assert own.to_dict() == {
        "atinuke-nano": "",
        "unpaired-nano": "",
        "majority-nano": "",
        "transformer-nano": "",
    }
    verdicts = {(one.a.variant, one.b.variant): one.verdict for one in made.comparisons}
    assert verdicts["atinuke-nano", "transformer-nano"] == "better"
    assert verdicts["atinuke-nano", "unpaired-nano"] == "not tested"


def test_protocols_stand_apart_and_cut_data_is_flagged(report):
    made, _ = report
    titles = [table.title for table in made.tables if table.name.startswith("headline")]
    assert len(titles) == 3
    cut = [title for title in titles if "not comparable with published scores" in title]
    assert len(cut) == 2
    second = next(table for table in made.tables if "protocol 2" in table.title)
    assert any("train_size" in note for note in second.notes)


def test_gaps_are_named(report):
    made, out = report
    reasons = " ".join(gap.reason for gap in made.gaps)
    for part in ("damaged result", "failed (diverged): loss is nan", "not finished", "cannot be read as predictions"):
        assert part in reasons
    assert "damaged result" in (out / "report.html").read_text()


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.links, self.sources = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        links = [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        # Sources of published figures are somewhere else; nothing is fetched from there.
        to = self.sources if tag == "a" else self.links
        to += [link for link in links if not (tag == "a" and link.startswith("#"))]


def test_the_page_is_whole_and_safe(report):
    _, out = report
    text = (out / "report.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert page.tags.count("script") == 1
    assert "&lt;script&gt;" in text
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert page.sources
    assert all(link.startswith(("https://", "http://")) for link in page.sources)
    assert len(text) < 5_000_000


def test_every_table_and_figure_is_written(report):
    made, out = report
    for table in made.tables:
        written = {path.suffix for path in (out / "tables").glob(f"{table.name}.*")}
        assert written == {".md", ".tex", ".csv", ".parquet"}
    names = {plot.name.partition("-")[0] for plot in made.plots}
    assert names == {"curves", "pareto", "slices", "confusion", "differences", "published"}
    for plot in made.plots:
        assert (out / "figures" / f"{plot.name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<script" not in plot.svg


def test_nothing_finished_still_makes_a_page(tmp_path, write_run):
    (write_run(tmp_path / "runs") / "result.json").unlink()
    made = write_report([tmp_path / "runs"], tmp_path / "out")
    assert "No run here is finished" in render_html(made)


def test_a_place_without_runs_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="no run at or below"):
        read_frame([tmp_path])
    with pytest.raises(RunFolderError, match="no such folder"):
        read_frame([tmp_path / "absent"])


def test_runs_that_differ_in_training_are_not_averaged(tmp_path, write_run):
    write_run(tmp_path, seed=0, config="training:\n  learning_rate: 0.001\n")
    write_run(tmp_path, seed=1, config="training:\n  learning_rate: 0.0005\n")
    variants = set(read_frame([tmp_path]).runs["variant"])
    assert variants == {"atinuke-nano {learning_rate=0.001}", "atinuke-nano {learning_rate=0.0005}"}


def test_a_copied_run_counts_once(tmp_path, write_run):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b")
    assert len(read_frame([tmp_path / "a", tmp_path / "b"]).runs) == 1


@pytest.mark.parametrize("newer", ["first", "second"])
def test_a_seed_that_two_versions_trained_counts_once(tmp_path, write_run, newer):
    """Another version of what all runs share, such as the schedule, gives the same settings another identity."""
    folders = {}
    for version, right in (("first", 0.6), ("second", 0.8)):
        for seed in range(3):
            folder = write_run(tmp_path / version, seed=seed, right=right, edit={"identity": f"{version}-{seed}"})
            day = 2 if version == newer else 1
            (folder / "manifest.json").write_text(json.dumps({"created": f"2026-01-0{day}T00:00:00+0000"}))
            folders[version, seed] = str(folder)
    write_run(tmp_path / "second", "bilstm", seed=0)
    frame = read_frame([tmp_path / "first", tmp_path / "second"])
    kept = frame.runs[frame.runs["core"] == "atinuke"]
    assert sorted(kept["folder"]) == sorted(folders[newer, seed] for seed in range(3))
    assert len(frame.scores) == len(frame.slices) / 4 == 4
    assert {gap.where for gap in frame.gaps} == set(folders.values()) - set(kept["folder"])
    assert all("not counted: trained by an earlier version of the code, and anew in " in g.reason for g in frame.gaps)
    rows = make_report(frame).tables[0].data.to_dict("records")
    (row,) = [row for row in rows if (row["core"], row["task"]) == ("atinuke-nano", "snli")]
    assert row["seeds"] == 3


def test_results_that_contradict_each_other_are_a_gap(tmp_path, write_run):
    write_run(tmp_path / "a")
    other = write_run(tmp_path / "b")
    result = json.loads((other / "result.json").read_text())
    counted = result["score"]
    result["score"] = result["scores"]["test"]["accuracy"] = counted - 2
    (other / "result.json").write_text(json.dumps(result))
    frame = read_frame([tmp_path / "a", tmp_path / "b"])
    assert list(frame.runs["score"]) == [counted]
    (gap,) = frame.gaps
    assert gap.where == str(other)
    assert f"one run with two results: score {counted - 2:.4f} here, {counted:.4f} in {tmp_path}" in gap.reason


def test_a_split_that_contradicts_is_a_gap_though_the_score_is_the_same(tmp_path, write_run):
    write_run(tmp_path / "a")
    other = write_run(tmp_path / "b")
    result = json.loads((other / "result.json").read_text())
    result["scores"]["dev"] = {"accuracy": 1.0}  # the first does not know it, which contradicts nothing
    (other / "result.json").write_text(json.dumps(result))
    assert read_frame([tmp_path / "a", tmp_path / "b"]).gaps == ()
    result["scores"]["test"]["loss"] = 0.5
    (other / "result.json").write_text(json.dumps(result))
    third = write_run(tmp_path / "c")
    (third / "result.json").write_text(json.dumps({**result, "scores": {"test": {"loss": 0.6}}}))
    (gap,) = read_frame([tmp_path / "b", tmp_path / "c"]).gaps
    assert "test loss 0.6000 here, 0.5000" in gap.reason


def test_a_mean_of_runs_with_different_code_is_said_to_be_one(tmp_path, write_run):
    def record(run, **modules):
        digests = {"atinuke_bench.training.train": "1", **modules}
        (run / "manifest.json").write_text(json.dumps({"code": {"modules": digests, "texts": digests}}))

    first, second, _ = (write_run(tmp_path, "atinuke", seed=seed) for seed in range(3))  # the last records none
    for seed in range(2):
        record(write_run(tmp_path, "transformer", seed=seed))
    record(first, **{"mine.core": "1"})
    record(second, **{"mine.core": "1"})
    assert make_report(read_frame([tmp_path])).notes["scores"] == ()
    record(second, **{"mine.core": "2"})
    (note,) = make_report(read_frame([tmp_path])).notes["scores"]
    assert note.startswith("The mean of atinuke-nano on snli is of runs with different code (mine.core);")


def test_compare_by_core_and_by_folder(store):
    found = compare_sides("atinuke-nano", "transformer", store).comparisons
    assert [(one.column.task, one.verdict) for one in found] == [("snli", "better")]
    found = compare_sides(f"{store}/snli/transformer", f"{store}/snli/atin*", "unused").comparisons
    assert found[0].verdict == "worse"


def test_compare_refuses_what_cannot_be_compared(store):
    with pytest.raises(UnknownNameError, match="nearest: 'transformer'"):
        compare_sides("atinuke", "transfomer", store)
    with pytest.raises(ConfigError, match="name the same runs"):
        compare_sides("atinuke", "atinuke-nano", store)
    with pytest.raises(ConfigError, match="a task in common"):
        compare_sides("transformer", f"bilstm-{EVIL}", store)


def test_compare_names_the_protocol_fields_that_differ(tmp_path, write_run):
    write_run(tmp_path, "atinuke")
    write_run(tmp_path, "bilstm", train_size=7)
    with pytest.raises(ConfigError, match="differ in train_size"):
        compare_sides("atinuke", "bilstm", tmp_path)


def test_the_commands(store):
    result = CliRunner().invoke(app, ["compare", "atinuke-nano", "transformer", "--runs", str(store), "--json"])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)["comparisons"][0]
    assert record["verdict"] == "better"
    assert record["absolute difference"] == pytest.approx(30, abs=0.5)
    shown = CliRunner().invoke(app, ["compare", "atinuke-nano", "transformer", "--runs", str(store)])
    assert re.search(r"snli\s+atinuke-nano\s+transformer-nano", shown.stdout)


def test_a_run_that_its_predictions_contradict_is_a_gap_and_counts_in_no_mean(tmp_path, write_run):
    folders = [write_run(tmp_path, seed=seed) for seed in range(3)]
    result = json.loads((folders[0] / "result.json").read_text())
    (folders[0] / "result.json").write_text(json.dumps({**result, "score": 99.9}))
    frame = read_frame([tmp_path])
    cells, gaps = measure(frame)
    ((cell,),) = (column.values() for column in cells.values())
    assert cell.num_seeds == 2
    assert cell.mean < 99
    (gap,) = [gap for gap in gaps if gap.where == str(folders[0])]
    assert gap.reason.startswith("not counted: the predictions do not give the recorded accuracy 99.9000")


def test_linked_folders_are_followed_and_what_lies_in_a_run_is_none(tmp_path, write_run):
    folder = write_run(tmp_path / "elsewhere")
    for inner in ("wandb/offline-run-1/files", ".damaged-1"):
        (folder / inner).mkdir(parents=True)
        (folder / inner / "config.yaml").write_text("lr: 1")
    store = tmp_path / "runs"
    store.mkdir()
    (store / "snli").symlink_to(tmp_path / "elsewhere")
    (store / "circle").symlink_to(store)
    (found,) = find_runs(store)
    assert found.path.is_relative_to(store / "snli")
    assert len(read_frame([store]).runs) == 1


def test_a_table_says_whether_its_data_is_cut_or_own(tmp_path, write_run):
    sizes = {"split_sizes": {"train": 200, "test": 300}, "selection_size": 10, "is_cut": True}
    for seed, task, train_size in ((0, "snli", 40), (0, "glue/rte", 190), (1, "glue/qnli", 40)):
        write_run(tmp_path, seed=seed, task=task, train_size=train_size, **sizes)

    def title(*tasks):
        frame = read_frame([tmp_path / task for task in tasks])
        return blocks_of(frame)[0].title.partition(",")[0]

    assert title("snli") == f"cut data ({NOT_COMPARABLE})"
    assert title("glue/rte") == f"own data ({NOT_COMPARABLE})"
    assert title("snli", "glue/qnli") == f"cut data ({NOT_COMPARABLE})"
    assert title("snli", "glue/rte") == f"cut and own data ({NOT_COMPARABLE})"


def test_what_causal_cores_can_see_is_said_below_their_table(tmp_path, write_run):
    view = "it reads the first text before the second"
    for seed in range(2):
        write_run(tmp_path, "atinuke", seed=seed, edit={"causal_view": view})
        write_run(tmp_path, "transformer", seed=seed, edit={"causal_view": None})
        write_run(tmp_path, "older", seed=seed)
    notes = make_report(read_frame([tmp_path])).tables[0].notes
    assert f"What a causal core (atinuke-nano) can see of snli: {view}." in notes
    write_run(other := tmp_path / "other", "older")
    assert not any("causal" in note for note in make_report(read_frame([other])).tables[0].notes)
