"""The published record: whole, with its sources, and beside our figures only where nothing keeps the two apart."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import pytest

from atinuke_bench import registry
from atinuke_bench.config import Pretraining
from atinuke_bench.errors import ConfigError
from atinuke_bench.reports.drawing.style import looks
from atinuke_bench.reports.reading.collect import read_frame
from atinuke_bench.reports.reading.comparable import RELEASES, our_split, verdict, version_of
from atinuke_bench.reports.reading.published import Published, read_published
from atinuke_bench.reports.report import make_report
from atinuke_bench.reports.sections.published import beside, published_plots, published_table
from atinuke_bench.reports.statistics.cells import measure

FULL = {"is_cut": False, "selection": "held-out"}
BERT = Pretraining(model="google-bert/bert-base-uncased")
ROW = Published(
    task="squad-v1.1", version="1.1", split="dev", metric="f1", value=88.5, spread=0.2, spread_kind="std", seeds=5,
    statistic="mean", system="BERT-base", kind="result", pretraining="masked", model="bert-base-uncased",
    transfer="none", composition="single", data="full", source="arXiv 1810.04805", place="table 2", read="primary",
)  # fmt: skip
V1_1 = {**FULL, "split_sizes": {"train": 87_599, "dev": 10_570}}


@pytest.fixture(scope="module", name="record")
def _record() -> list[Published]:
    return read_published()


def test_every_family_has_its_rows_and_no_figure_stands_there_twice(record):
    families = Counter(row.task.partition("/")[0].removesuffix("-v1.1").removesuffix("-v2.0") for row in record)
    assert families.keys() == {"squad", "glue", "superglue", "snli", "coref", "srl"}
    assert min(families.values()) >= 50
    fields = ("task", "version", "split", "subset", "metric", "system", "source", "transfer", "composition", "place")
    counts = Counter(tuple(getattr(row, name) for name in fields) for row in record)
    assert not [key for key, count in counts.items() if count > 1]
    assert sum(row.spread is not None and (row.seeds or 0) > 1 for row in record) >= 100


def test_its_tasks_are_tasks_or_averages_of_a_family(record):
    known = {*registry.task_names(), "glue", "superglue"}
    assert not {row.task for row in record} - known
    assert {row.task for row in record if row.kind == "claim"} == {"squad-v1.1", "glue", "snli", "coref", "srl"}
    assert all(row.metric == "average" for row in record if row.task in ("glue", "superglue") and row.kind != "claim")


def test_vectors_that_were_learned_before_are_no_training_from_scratch(record):
    (match,) = {
        row.pretraining for row in record if row.system.startswith("Match-LSTM") and row.composition == "single"
    }
    assert match == "static vectors"


def test_releases_are_those_that_tasks_know():
    for task, sizes in RELEASES.items():
        official = {release["train"] for release in registry.load_task(task).official_sizes}
        assert set(sizes) == official, task


def test_a_row_is_comparable_where_all_agrees():
    found = verdict(ROW, V1_1, BERT)
    assert (found.differing, found.not_stated, found.text) == ((), (), "yes")


@pytest.mark.parametrize(
    ("row", "protocol", "pretraining", "reason"),
    [
        ({}, {"selection": "dev"}, BERT, "ours was selected on dev"),
        ({"version": "2.0"}, {}, BERT, "data 2.0, ours 1.1"),
        ({"version": ""}, {}, BERT, "data of no stated version, ours 1.1"),
        ({}, {}, Pretraining(), "pretraining masked, ours none"),
        ({}, {}, Pretraining(model="bert-base-cased"), "checkpoint bert-base-uncased, ours bert-base-cased"),
        ({"model": ""}, {}, BERT, "checkpoint not stated (BERT-base), ours google-bert/bert-base-uncased"),
        ({"pretraining": ""}, {}, BERT, "pretraining not stated, ours google-bert/bert-base-uncased"),
        ({"pretraining": "none"}, {}, BERT, "no pretraining, ours google-bert/bert-base-uncased"),
        ({"pretraining": "static vectors", "model": ""}, {}, Pretraining(), "pretraining static vectors, ours none"),
        ({}, {}, Pretraining(task="lm", objective="causal", data="0a1b"), "pretraining masked, ours our own, lm"),
        ({"transfer": "from mnli"}, {}, BERT, "transfer: from mnli, ours none"),
        ({}, {}, Pretraining(task="glue/mnli", earlier=BERT), "transfer: none, ours from mnli"),
        ({"composition": "ensemble"}, {}, BERT, "an ensemble"),
        ({"data": "10 %"}, {}, BERT, "trained on 10 %"),
        ({"statistic": "best"}, {}, BERT, "the best of 5 runs, ours a mean"),
    ],
)
def test_each_field_that_differs_is_named(row, protocol, pretraining, reason):
    found = verdict(ROW.model_copy(update=row), {**V1_1, **protocol}, pretraining)
    (only,) = found.differing
    assert only.startswith(reason)
    assert found.text == f"yes, but for one thing: {only}"


def test_other_data_is_never_nearly_the_same():
    found = verdict(ROW, {**V1_1, "is_cut": True}, BERT)
    assert (found.is_near, found.text) == (False, "no: ours is cut or own data")


def test_a_figure_of_a_users_own_task_may_stand_beside_it_where_its_file_says_that_the_data_is_the_same():
    own = ROW.model_copy(update={"task": "classification/reviews", "version": "", "split": "test"})
    sizes = {"split_sizes": {"train": 100}, "train_size": 90, "selection": "held-out", "selection_size": 10}
    protocol = {**FULL, **sizes, "is_cut": True}
    assert verdict(own, protocol, BERT).text == "yes"
    assert verdict(own.model_copy(update={"data": ""}), protocol, BERT).text == "no: ours is own data"
    assert verdict(own, {**protocol, "train_size": 40}, BERT).text == "no: ours is cut data"
    assert verdict(own.model_copy(update={"task": "snli"}), protocol, BERT).text == "no: ours is own data"


def test_what_is_not_stated_is_said_and_two_things_are_a_no():
    open_ = ROW.model_copy(update={"transfer": "", "composition": ""})
    assert verdict(open_, V1_1, BERT).text == "yes, as far as stated (not stated: transfer, whether one model)"
    assert verdict(open_, V1_1, Pretraining(task="snli", earlier=BERT)).differing == ("transfer from snli",)
    both = ROW.model_copy(update={"composition": "ensemble", "data": "1,000 examples"})
    assert verdict(both, V1_1, BERT).text == "no: an ensemble; trained on 1,000 examples"


def test_an_earlier_run_on_the_same_checkpoint_is_the_same_transfer():
    row = ROW.model_copy(update={"task": "glue/rte", "version": "", "transfer": "from mnli"})
    assert not verdict(row, FULL, Pretraining(task="glue/mnli", earlier=BERT)).differing


def test_splits_and_parts_are_found_under_our_names():
    def ours(task: str, version: str, split: str, subset: str = "") -> str:
        return our_split(ROW.model_copy(update={"task": task, "split": split, "subset": subset}), version)

    assert ours("glue/mnli", "", "dev", "mismatched") == "dev_mismatched"
    assert ours("glue/mnli", "", "dev") == "", "an average of both, or not stated"
    assert ours("srl", "CoNLL-2005", "test", "brown") == "test_brown"
    assert ours("srl", "CoNLL-2005", "test") == ""
    assert ours("srl", "CoNLL-2012", "test") == "test"
    assert ours("coref", "CoNLL-2012", "test", "10-fold") == ""


def test_many_rows_are_comparable_with_a_run_that_can_be_made(record):
    """Official data of full size, fine-tuned from a row's own checkpoint or from nothing, after what came between."""
    found = []
    for row in record:
        if row.kind != "result" or row.task in ("glue", "superglue"):
            continue
        task = registry.load_task(row.task)
        start = Pretraining(model=row.model) if row.model else Pretraining()
        if row.transfer == "from mnli":
            start = Pretraining(task="glue/mnli", earlier=start)
        for sizes in task.official_sizes:
            protocol = {**FULL, "split_sizes": sizes}
            split = our_split(row, version_of(row.task, protocol))
            # GLUE's and SuperGLUE's test sets are hidden.
            is_scored = split in task.splits.evaluated and not (row.split == "test" and "glue" in row.task)
            if is_scored and verdict(row, protocol, start).is_comparable:
                found.append(row)
                break
    assert len(found) >= 150
    assert {row.task.partition("/")[0] for row in found} >= {"glue", "superglue", "squad-v1.1", "squad-v2.0", "srl"}


SNLI = ROW.model_copy(update={"task": "snli", "version": "", "split": "test", "metric": "accuracy", "value": 85.0})
PROTOCOL = {"pretraining": {"model": "bert-base-uncased"}}


def bert(write_run, store: Path, seed: int, right: float, dev: float, **protocol) -> None:
    folder = write_run(store, "pretrained", seed=seed, label="bert", right=right, **{**PROTOCOL, **protocol})
    result = json.loads((folder / "result.json").read_text())
    result["scores"]["dev"] = {"accuracy": dev}
    (folder / "result.json").write_text(json.dumps(result))


def placed(store: Path, rows: list[Published]):
    frame = read_frame([store])
    return beside(frame, measure(frame)[0], rows)


def test_every_stored_figure_has_what_was_published_beside_it(tmp_path, write_run):
    for seed, dev in enumerate((80.0, 82.0)):
        bert(write_run, tmp_path, seed, 0.9, dev)
    on_dev = SNLI.model_copy(update={"split": "dev", "value": 80.0, "spread": None, "spread_kind": ""})
    others = [SNLI.model_copy(update={"split": "train"}), ROW, SNLI.model_copy(update={"value": 80.0, "system": "low"})]
    found = placed(tmp_path, [*others, on_dev, SNLI])
    assert [(one.row.split, one.row.value, one.text) for one in found] == [
        ("test", 80.0, "yes"),
        ("dev", 80.0, "yes"),
        ("test", 85.0, "yes"),
        ("train", 85.0, "no: this figure was not measured here"),
    ]
    figures = found[1].record()
    assert (figures["measured"], figures["measured deviation"]) == (81.0, pytest.approx(2**0.5))
    assert figures["absolute difference"] == pytest.approx(1.0)
    assert figures["relative change %"] == pytest.approx(1.25)
    headline, beyond = found[2].ours, found[1].ours
    assert headline is not None
    assert beyond is not None
    assert headline.interval[0] < headline.mean < headline.interval[1]
    assert math.isnan(beyond.interval[0])
    table = published_table(found)
    assert table is not None
    assert (len(table.shown), table.num_first) == (4, 3), "the last is folded up"
    assert table.links["source"] == ("https://arxiv.org/abs/1810.04805",) * 4
    assert "85.00 ± 0.20 (mean 5)" in set(table.shown["published"])
    change = 100 * (headline.mean - 85) / 85
    assert table.notes[0].startswith(
        f"snli, test, accuracy: bert ({headline.mean:.2f}) is {change:+.2f} % relative to the highest comparable figure"
    )
    assert len(published_plots(found, looks(["bert"]))) == 2


def test_of_several_protocols_the_nearest_stands_beside(tmp_path, write_run):
    bert(write_run, tmp_path, 0, 0.95, 90.0, is_cut=True)
    bert(write_run, tmp_path, 1, 0.7, 70.0)
    (one,) = placed(tmp_path, [SNLI])
    assert one.ours is not None
    assert (one.text, round(one.ours.mean)) == ("yes", 70)  # of the runs on official data


def test_a_run_that_its_predictions_contradict_stands_beside_nothing(tmp_path, write_run):
    bert(write_run, tmp_path, 0, 0.7, 70.0)
    bert(write_run, tmp_path, 1, 0.7, 70.0)
    (path, _) = tmp_path.rglob("result.json")
    wrong = json.loads(path.read_text())
    wrong["score"] = wrong["scores"]["test"]["accuracy"] = 99.0
    path.write_text(json.dumps(wrong))
    (one,) = placed(tmp_path, [SNLI])
    assert one.ours is not None
    assert one.ours.num_seeds == 1
    assert one.ours.mean < 80


def test_claims_stand_in_the_report_of_their_family(tmp_path, write_run):
    write_run(tmp_path, task="glue/rte")
    made = make_report(read_frame([tmp_path]))
    table = next(table for table in made.tables if table.name == "published")
    assert "claim, no figure" in set(table.shown["published"])
    claims = table.shown.loc[table.shown["published"] == "claim, no figure", "comparable"]
    assert set(claims) == {"no: a claim without figures; measured on glue/rte, official data"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("snli,x,86.0,1", r"own.csv: row 1.split: .*found 'x'"),
        ("snli,test,,1", "a figure has a value, a split and a metric"),
        ("snli,test,860,1", r"row 1.value"),
        ("snli,test,86.0", "has not as many cells as the first line has names"),
    ],
)
def test_what_is_wrong_in_an_own_record_is_one_line(tmp_path, line, message):
    names = "task,split,value,seeds,metric,system,kind,source,place,read"
    tail = ",accuracy,Ours,result,https://example.org/paper,table 1,primary"
    (tmp_path / "own.csv").write_text(f"{names}\n{line}{tail}\n")
    with pytest.raises(ConfigError, match=message):
        read_published([tmp_path / "own.csv"])


def test_an_own_record_is_read_beside_the_other(tmp_path, record):
    names = "task,split,value,metric,system,kind,source,place,read"
    (tmp_path / "own.csv").write_text(
        f"{names}\nsnli,test,86.0,accuracy,Ours,result,https://example.org/paper,table 1,primary\n"
    )
    found = read_published([tmp_path / "own.csv"])
    assert len(found) == len(record) + 1
    assert found[-1].link == "https://example.org/paper"
