"""The section of other test sets: every number of it computed again by other means."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from atinuke_bench.config import Declaration
from atinuke_bench.errors import ConfigError
from atinuke_bench.evaluation_folder import evaluation_of
from atinuke_bench.reports import read_frame
from atinuke_bench.reports.report import make_report
from atinuke_bench.reports.writing.render import write_files
from atinuke_bench.run_folder import RunFolder

SET = {"name": "hans", "kind": "classification", "splits": {"test": ["hans.tsv"]}, "labels": ["no", "yes"]}
RIGHT = {("bilstm", "hans"): 0.5, ("atinuke", "hans"): 0.6, ("bilstm", "paws"): 0.55, ("atinuke", "paws"): 0.56}
NUM = {"hans": 400, "paws": 200}


def evaluate(folder: Path, name: str, right: float, num: int, seed: int, **changed: object) -> float:
    """Write an evaluation of a synthetic run; its accuracy."""
    run = RunFolder(folder)
    difficulty = np.random.default_rng(len(name)).normal(size=num)
    is_right = difficulty + np.random.default_rng([seed, num]).normal(size=num) < np.quantile(difficulty, right)
    gold = np.where(np.arange(num) % 2 == 0, "yes", "no")
    prediction = np.where(is_right, gold, np.where(gold == "yes", "no", "yes"))
    rows = {"split": "test", "id": [f"h{n}" for n in range(num)], "prediction": prediction, "gold": gold}
    content = pd.DataFrame({**rows, "score": is_right.astype(float)}).to_parquet(None, index=False)
    score = 100 * float(is_right.mean())
    result = run.read_result()
    record = {
        "name": name,
        "task": f"classification/{name}",
        "identity": f"{name}-{seed}",
        "determinants": {"data": f"data of {name}", "map": {"0": "no", "1": "yes"}},
        "run": {
            **{key: result[key] for key in ("task", "core", "core_label", "seed", "identity")},
            "weights": result["artefacts"]["checkpoints/best.safetensors"],
            "tokenizer": result["artefacts"]["tokenizer.json"],
        },
        "seed": seed,
        "split": "test",
        "metric": "accuracy",
        "higher_is_better": True,
        "score": score,
        "interval": None,
        "resampled": {"unit": "example", "num_units": num},
        "scores": {"test": {"accuracy": score}},
        "slices": {"test": {"heuristic": {"overlap": {"accuracy": score, "num": num}}}},
        "sizes": {"test": num},
    }
    declaration = Declaration.model_validate({**SET, "name": name})
    evaluation_of(run, name).write(declaration, content, {**record, **changed})
    return score


@pytest.fixture
def store(tmp_path, write_run):
    """Two cores with three seeds each on two other test sets; one seed of `bilstm` is not evaluated on the second."""
    scores: dict[tuple[str, str], list[float]] = {}
    for core in ("bilstm", "atinuke"):
        for seed in range(3):
            files = {"checkpoints/best.safetensors": f"{core}{seed}", "tokenizer.json": "t"}
            folder = write_run(tmp_path / "runs", core, seed=seed, right=0.8, edit={"artefacts": files})
            for name in NUM:
                if (core, name, seed) != ("bilstm", "paws", 2):
                    score = evaluate(folder, name, RIGHT[core, name], NUM[name], seed)
                    scores.setdefault((f"{core}-nano", name), []).append(score)
    return tmp_path / "runs", scores


def table(report, name):
    (found,) = [one for one in report.tables if one.name == name]
    return found


@pytest.mark.usefixtures("undrawn")
def test_means_drops_and_counts_are_those_of_the_runs(store):
    place, scores = store
    frame = read_frame([place])
    report = make_report(frame)
    data = table(report, "test-sets").data
    assert len(data) == 4
    for row in data.to_dict("records"):
        own = scores[row["core"], row["test_set"]]
        assert (row["seeds"], row["trained_on"], row["metric"]) == (len(own), "snli", "accuracy")
        assert row["mean"] == pytest.approx(np.mean(own))
        same = frame.runs[(frame.runs["variant"] == row["core"]) & frame.runs["seed"].isin(range(len(own)))]
        assert row["own_score"] == pytest.approx(same["score"].mean())
        assert row["drop"] == pytest.approx(same["score"].mean() - np.mean(own))
        assert row["low"] < row["mean"] < row["high"]
        assert row["drop_low"] < row["drop"] < row["drop_high"]


@pytest.mark.usefixtures("undrawn")
def test_the_interval_of_a_drop_is_that_of_independent_sets_and_paired_seeds(store):
    place, scores = store
    frame = read_frame([place])
    row = table(make_report(frame), "test-sets").data.set_index(["core", "test_set"]).loc[("atinuke-nano", "hans")]
    own = frame.runs[frame.runs["variant"] == "atinuke-nano"].sort_values("seed")["score"].to_numpy()
    here = np.array(scores["atinuke-nano", "hans"])
    # The variance of a mean over the seeds' shared examples, from the examples themselves, for each of the two sets.
    variances = []
    for where, folder in (("own", ""), ("hans", "evaluations/hans/")):
        rights = [
            pd.read_parquet(Path(run) / f"{folder}predictions.parquet")["score"].to_numpy()
            for run in frame.runs[frame.runs["variant"] == "atinuke-nano"].sort_values("seed")["folder"]
        ]
        per_example = 100 * np.mean(rights, axis=0)
        variances.append((where, per_example.var(ddof=1) / len(per_example)))
    of_units = sum(variance for _, variance in variances)
    seeds = max(0.0, (own - here).var(ddof=1)) / 3
    half = (row["drop_high"] - row["drop_low"]) / 2
    # Student's t of many degrees of freedom is 1.96 and of two is 4.3; seeds add at most their own variance.
    assert 1.85 * np.sqrt(of_units) < half < 4.4 * np.sqrt(of_units + seeds)


@pytest.mark.usefixtures("undrawn")
def test_variants_are_tested_and_corrected_over_all_test_sets(store):
    place, _ = store
    report = make_report(read_frame([place]))
    tests = table(report, "test-sets-comparisons").data
    assert sorted(tests["task"]) == ["hans, trained on snli", "paws, trained on snli"]
    ordered = tests.sort_values("p")
    assert ordered["p corrected"].iloc[0] == pytest.approx(min(1.0, 2 * ordered["p"].iloc[0]))
    hans = tests.set_index("task").loc["hans, trained on snli"]
    assert (hans["a"], hans["verdict"]) == ("atinuke-nano", "better")
    assert any("p is corrected over 2 tests" in note for note in table(report, "test-sets-comparisons").notes)
    parts = table(report, "test-sets-slices").data
    assert set(parts["slice"]) == {"heuristic"}
    against = make_report(read_frame([place]), reference="bilstm")
    assert set(table(against, "test-sets-comparisons").data["b"]) == {"bilstm-nano"}


@pytest.mark.usefixtures("undrawn")
def test_the_runs_own_tables_do_not_change(store, tmp_path):
    place, _ = store
    with_sets = make_report(read_frame([place])).summary()
    for path in place.rglob("evaluations"):
        path.rename(tmp_path / f"moved-{len(list(tmp_path.iterdir()))}")
    without = make_report(read_frame([place])).summary()
    assert not any(name.startswith("test-sets") for name in without["tables"])
    for name in without["tables"]:
        assert json.dumps(with_sets["tables"][name]) == json.dumps(without["tables"][name])


@pytest.mark.usefixtures("undrawn")
def test_what_cannot_be_used_is_a_gap(store):
    place, _ = store
    folders = sorted(Path(folder) for folder in read_frame([place]).runs["folder"])
    damaged = evaluation_of(RunFolder(folders[0]), "hans")
    damaged.result.write_text(damaged.result.read_text()[:-20])
    other = evaluation_of(RunFolder(folders[1]), "hans")
    evaluate(folders[1], "hans", 0.6, NUM["hans"], 1, run={**other.read_result()["run"], "weights": "x"})
    contradicted = evaluation_of(RunFolder(folders[2]), "hans")
    record = contradicted.read_result()
    record["score"] = record["scores"]["test"]["accuracy"] = 12.5
    contradicted.write(contradicted.read_declaration(), contradicted.predictions.read_bytes(), record)
    report = make_report(read_frame([place]))
    reasons = {gap.where: gap.reason for gap in report.gaps}
    assert "not valid JSON" in reasons[str(damaged.path)]
    assert "made with other weights than the run has now" in reasons[str(other.path)]
    assert "the predictions do not give the recorded accuracy 12.5" in reasons[str(contradicted.path)]
    counts = table(report, "test-sets").data.set_index(["core", "test_set"])["seeds"]
    assert counts.to_dict() == {("bilstm-nano", "hans"): 3, ("bilstm-nano", "paws"): 2, ("atinuke-nano", "paws"): 3}


def test_the_page_and_its_files(store, tmp_path):
    place, _ = store
    report = make_report(read_frame([place]))
    write_files(report, tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    assert '<section id="test-sets">' in page
    assert "snli: scores on other test sets" in page
    for ending in ("csv", "tex", "md", "parquet"):
        assert (tmp_path / "report" / "tables" / f"test-sets.{ending}").exists()
    assert (tmp_path / "report" / "figures" / "test-sets-snli.png").exists()
    with pytest.raises(ConfigError):
        make_report(read_frame([place]), reference="nobody")
