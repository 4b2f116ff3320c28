"""Every figure of the tables again from the run folders, by code that shares nothing with the report's.

The same checks run on the runs of a real store: `ATINUKE_RUNS=runs python -m pytest tests/reports/test_recomputed.py`.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from atinuke_bench.metrics import classification
from atinuke_bench.reports.writing.render import write_report
from atinuke_bench.tasks.coref import scorer as coref


@pytest.fixture(scope="module", params=["synthetic", "real"], name="places")
def _places(request, tmp_path_factory, write_run):
    if request.param == "real":
        if not os.environ.get("ATINUKE_RUNS"):
            pytest.skip("set ATINUKE_RUNS to a store of runs, or to several with colons between them")
        return [Path(place) for place in os.environ["ATINUKE_RUNS"].split(":")]
    store = tmp_path_factory.mktemp("runs")
    for task in ("snli", "glue/rte"):
        for seed in range(3):
            write_run(store, "atinuke", task=task, seed=seed, right=0.9)
            write_run(store, "transformer", task=task, seed=seed, right=0.6 + 0.02 * seed)
        write_run(store, "majority", task=task, right=0.5)
    return [store]


@pytest.fixture(scope="module", name="out")
def _out(places, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    write_report(places, out)
    return out


@pytest.fixture(scope="module", name="tables")
def _tables(out):
    return {path.stem: pd.read_csv(path) for path in (out / "tables").glob("*.csv")}


@pytest.fixture(scope="module", name="runs")
def _runs(places):
    """Result, scored predictions and folder of each finished run; a copy of a run once. A suite names its cores."""
    found: dict[tuple[str, str], tuple[dict[str, Any], pd.DataFrame, Path]] = {}
    for place in places:
        suites = [json.loads(path.read_text()) for path in place.glob("suites/*.json")]
        names = {place / cell["folder"]: cell["variant"] for suite in suites for cell in suite["cells"]}
        for path in sorted(place.rglob("result.json")):
            result = json.loads(path.read_text())
            result["core_label"] = names.get(path.parent, result["core_label"])
            rows = pd.read_parquet(path.parent / "predictions.parquet")
            rows = rows[(rows["split"] == result["split"]) & rows["gold"].notna()].sort_values("id")
            found.setdefault((result["task"], result["identity"]), (result, rows, path.parent))
    return list(found.values())


def _headline(tables):
    rows = pd.concat([table for name, table in tables.items() if name.startswith("headline")])
    return rows[(rows["task"] != "average") & (rows["seeds"] > 0)]


def _of_row(row, runs):
    """The runs behind a row; none where a variant's name says more than the core's label."""
    return [
        (result, rows)
        for result, rows, _ in runs
        if (result["task"], result["core_label"], result["split"]) == (row["task"], row["core"], row["split"])
    ]


def _score(result, rows):
    """The official metric of the predictions, in percent."""
    gold, answers = rows["gold"].tolist(), rows["prediction"].tolist()
    if result["metric"] == "accuracy":
        return 100 * np.mean([a == b for a, b in zip(gold, answers, strict=True)])
    if result["metric"] in ("pearson", "spearman"):
        x, y = np.array(gold, dtype=float), np.array(answers, dtype=float)
        x, y = (x, y) if result["metric"] == "pearson" else (stats.rankdata(x), stats.rankdata(y))
        # The official scorers' value for a constant is 0 or missing; either is the task's to say.
        return result["score"] if np.ptp(x) == 0 or np.ptp(y) == 0 else 100 * np.corrcoef(x, y)[0, 1]
    if result["task"] == "srl":
        pairs = [[_arguments(json.loads(text)) for text in side] for side in (gold, answers)]
        both = sum(len(a & b) for a, b in zip(*pairs, strict=True))
        return 200 * both / sum(len(spans) for side in pairs for spans in side)
    if result["task"] == "coref":
        documents = [
            [[list(map(tuple, cluster)) for cluster in json.loads(text)] for text in pair]
            for pair in zip(gold, answers, strict=True)
        ]
        return _conll(documents)
    if result["metric"] in classification.FIGURES and result["task"].startswith("glue"):
        return classification.FIGURES[result["metric"]](np.array(gold, dtype=float), np.array(answers, dtype=float))
    return 100 * rows["score"].astype(float).mean()


def _arguments(spans):
    """A predicate's arguments as the scorer counts them: continuations (C-) belong to the argument before, V is out."""
    found: list[tuple[str, list[tuple[int, int]]]] = []
    for start, end, label in sorted(map(tuple, spans)):
        role = label.removeprefix("C-")
        earlier = [argument for argument in found if argument[0] == role]
        if role != label and earlier:
            earlier[-1][1].append((start, end))
        else:
            found.append((role, [(start, end)]))
    return {(role, tuple(pieces)) for role, pieces in found if role != "V"}


def _conll(documents):
    counts = [coref.count_document(key, response) for key, response in documents]
    values = []
    for name in ("muc", "bcub", "ceafe"):
        hit_r, all_r, hit_p, all_p = np.sum([tuple(getattr(count, name)) for count in counts], axis=0)
        recall, precision = hit_r / all_r if all_r else 0, hit_p / all_p if all_p else 0
        values.append(200 * recall * precision / (recall + precision) if recall + precision else 0)
    return np.mean(values)


def test_the_headline(tables, runs):
    checked = 0
    for row in _headline(tables).to_dict("records"):
        own = _of_row(row, runs)
        if len(own) != row["seeds"]:
            continue
        scores = [_score(result, rows) for result, rows in own]
        assert row["mean"] == pytest.approx(np.mean(scores), abs=1e-6), row
        if len(own) > 1:
            assert row["deviation"] == pytest.approx(np.std(scores, ddof=1), abs=1e-6)
        checked += 1
    assert checked >= 0.5 * len(_headline(tables))


def test_the_average_over_families(tables):
    checked = 0
    for name in [name for name in tables if name.startswith("headline")]:
        for _, rows in tables[name].groupby("core"):
            families = defaultdict(list)
            for row in rows[rows["task"] != "average"].to_dict("records"):
                families[row["task"].split("/")[0]].append(row["mean"])
            expected = np.mean([np.mean(means) for means in families.values()])
            average = rows.loc[rows["task"] == "average", "mean"].item()
            assert average == pytest.approx(expected, nan_ok=True)
            checked += 1
    assert checked


def test_the_intervals_of_accuracies(tables, runs):
    """The formula of the statistics' description, with the binomial variance in place of the bootstrap's."""
    checked = 0
    for row in _headline(tables).to_dict("records"):
        own = _of_row(row, runs)
        if row["metric"] != "accuracy" or len(own) < 2 or len(own) != row["seeds"] or row["core"] == "majority":
            continue
        right = np.array([(rows["gold"] == rows["prediction"]).to_numpy(dtype=float) for _, rows in own]) * 100
        num_seeds, num = right.shape
        means = right.mean(axis=1)
        within = right.mean(axis=0).var() / num
        explained = (right - right.mean(axis=0)).var(axis=1).sum() / num / (num_seeds - 1)
        between = means.var(ddof=1)
        total = within + max(0.0, between - explained) / num_seeds
        doubt = (between / num_seeds) ** 2 / (num_seeds - 1)
        freedom = max(total**2 / doubt, num_seeds - 1) if doubt else np.inf
        half = stats.t.ppf(0.975, freedom) * np.sqrt(total)
        if row["low"] > 0 and row["high"] < 100:
            assert (row["high"] - row["low"]) / 2 == pytest.approx(half, rel=0.1), row
            checked += 1
    assert checked


def test_the_comparisons(tables, runs):
    headline = {(row["task"], row["core"]): row["mean"] for row in _headline(tables).to_dict("records")}
    for row in tables["comparisons"].to_dict("records"):
        a, b = row["score_a"], row["score_b"]
        assert row["absolute difference"] == pytest.approx(a - b, abs=1e-9)
        assert row["relative change %"] == pytest.approx(100 * (a - b) / abs(b) if b else np.nan, nan_ok=True)
        assert row["relative error reduction %"] == pytest.approx(100 * (a - b) / (100 - b), nan_ok=True)
        assert np.isnan(row["low"]) or row["low"] <= a - b <= row["high"]
        assert (row["verdict"] in ("better", "worse")) == (row["p corrected"] < 0.05)
        assert np.isnan(row["p"]) or row["p"] <= row["p corrected"] <= 1
        assert a in [pytest.approx(mean) for (task, _), mean in headline.items() if task == row["task"]]


def _across(tables, runs):
    """Each table of averages with the scores of its cores: core -> task -> its runs, each example right or wrong."""
    for name in [name for name in tables if name.startswith("across-") and "differences" not in name]:
        table = tables[name]
        tasks = table["tasks"].iloc[0].split(", ")
        answers = {
            core: {
                task: [rows for result, rows, _ in runs if (result["task"], result["core_label"]) == (task, core)]
                for task in tasks
            }
            for core in table["core"]
        }
        counts = {len(own) for by_task in answers.values() for own in by_task.values()}
        # A label that names runs of several protocols, or of other seeds on another task, is left to other tests.
        if counts == {table["fewest seeds"].iloc[0]}:
            yield table, tables.get(name.replace("across-", "across-differences-")), tasks, answers


def _right(rows):
    """Runs by examples, in percent."""
    return 100.0 * np.array([(own["gold"] == own["prediction"]).to_numpy() for own in rows])


def test_the_averages_across_tasks(tables, runs, places):
    checked = 0
    for table, _, tasks, answers in _across(tables, runs):
        metrics = {result["metric"] for result, _, _ in runs if result["task"] in tasks}
        if metrics != {"accuracy"}:
            continue
        families = [task.split("/")[0] for task in tasks]
        groups = families if len(set(families)) > 1 else tasks
        scores = {core: np.array([_right(own[task]).mean(axis=1) for task in tasks]).T for core, own in answers.items()}
        means = pd.DataFrame({core: own.mean(axis=0) for core, own in scores.items()}).groupby(groups).mean()
        ranks = pd.Series(stats.rankdata(-means, axis=1).mean(axis=0), means.columns)
        for row in table.to_dict("records"):
            assert row["average"] == pytest.approx(means[row["core"]].mean())
            assert row["interquartile mean"] == pytest.approx(stats.trim_mean(scores[row["core"]], 0.25, axis=None))
            assert row["mean rank"] == pytest.approx(ranks[row["core"]])
            if len(means) > 2:
                low, high = stats.t.interval(0.95, len(means) - 1, means[row["core"]].mean(), means[row["core"]].sem())
                assert (row["elsewhere low"], row["elsewhere high"]) == pytest.approx((low, high))
            checked += 1
    assert checked or str(places[0]) in os.environ.get("ATINUKE_RUNS", "")  # a store may have no such tasks


def test_the_differences_across_tasks(tables, runs, places):
    """The formula of the averages' description, with variances over examples in place of the bootstrap's."""
    checked = 0
    for _, differences, tasks, answers in _across(tables, runs):
        metrics = {result["metric"] for result, _, _ in runs if result["task"] in tasks}
        if metrics != {"accuracy"} or differences is None or any("unit" in own for own in next(iter(answers.values()))):
            continue
        families = pd.Series([task.split("/")[0] for task in tasks])
        weights = 1 / families.nunique() / families.map(families.value_counts()).to_numpy()
        for row in differences.to_dict("records"):
            sides = [[_right(answers[row[side]][task]) for task in tasks] for side in "ab"]
            num_seeds = len(sides[0][0])
            units = [(a.mean(axis=0) - b.mean(axis=0)).var(ddof=1) / a.shape[1] for a, b in zip(*sides, strict=True)]
            total, value = float(weights**2 @ units), 0.0
            for sign, side in zip((1, -1), sides, strict=True):
                value += sign * float(weights @ [own.mean() for own in side])
                between = [own.mean(axis=1).var(ddof=1) for own in side]
                explained = [
                    (own - own.mean(axis=0)).var(axis=1).sum() / own.shape[1] / (num_seeds - 1) for own in side
                ]
                total += max(0.0, float(weights**2 @ np.subtract(between, explained)) / num_seeds)
            assert row["difference"] == pytest.approx(value)
            half = (row["high"] - row["low"]) / 2
            # Between Student's t of the seeds of one side alone and of endless seeds.
            low, high = (stats.t.ppf(0.975, freedom) * np.sqrt(total) for freedom in (np.inf, num_seeds - 1))
            assert 0.9 * low <= half <= 1.1 * high
            assert row["p"] == pytest.approx(2 * stats.t.sf(abs(value) / np.sqrt(total), 1e3), abs=0.1)
            checked += 1
    assert checked or str(places[0]) in os.environ.get("ATINUKE_RUNS", "")  # a store may have no such tasks


def test_the_costs(tables, runs):
    checked = 0
    for row in tables["cost"].to_dict("records"):
        own = [
            result for result, _, _ in runs if (result["task"], result["core_label"]) == (row["task"], row["variant"])
        ]
        for name in ("parameters", "training_flops", "training_seconds", "tokens_per_second", "latency_seconds"):
            values = [result["cost"][name] for result in own if result["cost"].get(name) is not None]
            if f"cost.{name}" in row and len({result["split"] for result in own}) == 1 and values:
                protocols = {json.dumps(result["protocol"], sort_keys=True) for result in own}
                if len(protocols) == 1:
                    assert row[f"cost.{name}"] == pytest.approx(np.mean(values))
                    checked += 1
    assert checked


def test_the_slices(tables, runs):
    means = defaultdict(list)
    for result, _, _ in runs:
        for name, labels in result["slices"].get(result["split"], {}).items():
            for label, figures in labels.items():
                for metric, value in figures.items():
                    means[result["task"], result["core_label"], name, label, metric].append(value)
    checked = 0
    for row in tables["slices"].to_dict("records"):
        values = means.get((row["task"], row["variant"], row["slice"], str(row["label"]), row["metric"]), [])
        if values and len(values) == row["seeds"] and None not in values:
            assert (row["mean"], row["low"], row["high"]) == pytest.approx((np.mean(values), min(values), max(values)))
            checked += 1
    assert checked


_NUMBER = r"[-+]?[\d,]*\.\d+"
#: "B by 3.20 points [1.10, 5.30]" and "B (+0.50 points [-1.20, 2.20]" in a sentence, "+0.50 [-1.20, 2.20]" in a figure.
_FIGURES = rf"({_NUMBER}) ?(?:[^\d\[\]()]*?) \[({_NUMBER}), ({_NUMBER})\]"


def _difference(task, a, b, runs):
    """Mean of A less mean of B, its standard error, and the fewest degrees of freedom; None where these are not told.

    The formula of the statistics' description, with the variance over examples in place of the bootstrap's.
    """
    found = [[(r, rows) for r, rows, _ in runs if (r["task"], r["core_label"]) == (task, core)] for core in (a, b)]
    records = [result for own in found for result, _ in own]
    protocols = {json.dumps([r["protocol"], r["split"], r["metric"]], sort_keys=True) for r in records}
    units = any("unit" in rows for own in found for _, rows in own)
    if not all(found) or len(protocols) != 1 or records[0]["metric"] != "accuracy" or units:
        return None
    sides = [_right([rows for _, rows in own]) for own in found]
    num = sides[0].shape[1]
    variance, freedom = (sides[0].mean(axis=0) - sides[1].mean(axis=0)).var(ddof=1) / num, num - 1
    for side, own in zip(sides, found, strict=True):
        seeds = len(side)
        if own[0][0]["core"] == "majority":
            continue
        explained = (side - side.mean(axis=0)).var(axis=1).sum() / num / (seeds - 1)
        variance += max(0.0, side.mean(axis=1).var(ddof=1) - explained) / seeds
        freedom = min(freedom, seeds - 1)
    return sides[0].mean() - sides[1].mean(), np.sqrt(variance), freedom


def _check(value, low, high, expected):
    mean, error, freedom = expected
    assert value == pytest.approx(mean, abs=0.006)
    half = (high - low) / 2
    assert 0.9 * stats.norm.ppf(0.975) * error - 0.01 <= half <= 1.1 * stats.t.ppf(0.975, freedom) * error + 0.01


def _numbers(found):
    return [float(text.replace(",", "")) for text in found.groups()[-3:]]


def test_the_sentences(out, tables, runs, places):
    """Every difference that a sentence names, by reading the sentence."""
    text = re.sub(r"\\([\[*|\\])", r"\1", html.unescape((out / "findings.md").read_text(encoding="utf-8")))
    checked = 0
    for task, sentence in re.findall(
        r"^- \*\*(.+?)\*\*: (.+) \(\[table\]\(tables/comparisons\.md\)\)$", text, re.MULTILINE
    ):
        ((pivot, mean),) = re.findall(r"^(\S+) \((-?[\d.,]+)\) is ", sentence)
        for row in tables["comparisons"].query("task == @task").to_dict("records"):
            other = row["b"] if row["a"] == pivot else row["a"]
            expected = _difference(task, pivot, other, runs)
            named = re.search(rf"{re.escape(other)} (by |\()(?:{_FIGURES})", sentence)
            if expected is None or named is None:
                continue
            value, low, high = _numbers(named)
            is_worse = re.search(rf"(worse than|BELOW)[^;]*{re.escape(other)} by", sentence) is not None
            _check(value, low, high, (-expected[0] if is_worse else expected[0], *expected[1:]))
            # Only what a test tells apart is said with "by".
            assert (named[1] == "by ") == (row["p corrected"] < 0.05)
            assert float(mean) == pytest.approx(row["score_a"] if row["a"] == pivot else row["score_b"], abs=0.006)
            checked += 1
    assert checked or str(places[0]) in os.environ.get("ATINUKE_RUNS", "")


def test_the_forest_plot(out, runs, places):
    """Every difference of the figure, by what its marks say of themselves."""
    checked = 0
    for path in (out / "figures").glob("differences-headline-*.svg"):
        for title in re.findall("<title>(.*?)</title>", path.read_text(encoding="utf-8")):
            ((task, a, b, figures),) = re.findall(r"^(.+?), (.+) less (.+?): (.*)$", html.unescape(title))
            expected, found = _difference(task, a, b, runs), re.match(_FIGURES, figures)
            if expected is not None and found is not None:
                value, low, high = _numbers(found)
                _check(value, low, high, expected)
                checked += 1
    assert checked or str(places[0]) in os.environ.get("ATINUKE_RUNS", "")
