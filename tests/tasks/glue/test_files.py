"""The official GLUE files: layouts, odd content, bad input, predictions."""

from __future__ import annotations

import gzip
import math
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.errors import DataError
from atinuke_bench.tasks.glue.files import (
    LAYOUTS,
    GlueFiles,
    find_glue_files,
    read_glue,
    read_glue_predictions,
    require_glue_file,
)
from atinuke_bench.tasks.glue.submission import write_glue_predictions

MNLI_HEAD = "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse sentence1_parse sentence2_parse"
MNLI_TEXTS = ["-", "-", "-", "-", 'He said "go', "He left."]
STSB_HEAD = "index genre filename year old_index source1 source2 sentence1 sentence2"

# Task, split, file, lines; then the sentences of the first example and the labels of all.
OFFICIAL = [
    ("cola", "train", "CoLA/train.tsv", ['gj04\t1\t\tHe said "hi.', "gj04\t0\t*\tHim left."], ['He said "hi.'], [1, 0]),
    ("cola", "dev", "CoLA/dev.tsv", ["gj04\t1\t\tHe left."], ["He left."], [1]),
    ("cola", "test", "CoLA/test.tsv", ["index\tsentence", "0\tHe left."], ["He left."], [-1]),
    ("sst2", "train", "SST-2/train.tsv", ["sentence\tlabel", 'a " joy \t1', "dull \t0"], ['a " joy '], [1, 0]),
    ("sst2", "test", "SST-2/test.tsv", ["index\tsentence", "0\tdull"], ["dull"], [-1]),
    (
        "mrpc",
        "dev",
        "MRPC/dev.tsv",
        ["\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String", '1\t7\t8\tHe said "hi\tHe spoke"'],
        ['He said "hi', 'He spoke"'],
        [1],
    ),
    (
        "mrpc",
        "test",
        "MRPC/test.tsv",
        ["index\t#1 ID\t#2 ID\t#1 String\t#2 String", "0\t7\t8\ta\tb"],
        ["a", "b"],
        [-1],
    ),
    (
        "mrpc",
        "test",
        "MRPC/msr_paraphrase_test.txt",
        ["\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String", "0\t7\t8\ta\tb"],
        ["a", "b"],
        [0],
    ),
    (
        "qqp",
        "train",
        "QQP/train.tsv",
        ["id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "90\t1\t2\tWhy?\tHow\u2028so?\t0"],
        ["Why?", "How\u2028so?"],
        [0],
    ),
    ("qqp", "test", "QQP/test.tsv", ["id\tquestion1\tquestion2", "0\tWhy?\tHow?"], ["Why?", "How?"], [-1]),
    (
        "stsb",
        "dev",
        "STS-B/dev.tsv",
        [f"{STSB_HEAD} score".replace(" ", "\t"), "0\tg\tf\t2012\t0\tn\tn\tA cat.\tA dog.\t2.600"],
        ["A cat.", "A dog."],
        [2.6],
    ),
    (
        "mnli",
        "train",
        "MNLI/train.tsv",
        [
            f"{MNLI_HEAD} sentence1 sentence2 label1 gold_label".replace(" ", "\t"),
            "\t".join(["0", "1", "1n", "fiction", *MNLI_TEXTS, "neutral", "neutral"]),
        ],
        MNLI_TEXTS[-2:],
        [1],
    ),
    (
        "mnli",
        "dev_mismatched",
        "MNLI/dev_mismatched.tsv",
        [
            f"{MNLI_HEAD} sentence1 sentence2 label1 label2 label3 label4 label5 gold_label".replace(" ", "\t"),
            "\t".join(["0", "1", "1n", "fiction", *MNLI_TEXTS, *["neutral"] * 5, "contradiction"]),
        ],
        MNLI_TEXTS[-2:],
        [2],
    ),
    (
        "mnli",
        "test_matched",
        "MNLI/test_matched.tsv",
        [
            f"{MNLI_HEAD} sentence1 sentence2".replace(" ", "\t"),
            "\t".join(["0", "1", "1n", "fiction", *MNLI_TEXTS]),
        ],
        MNLI_TEXTS[-2:],
        [-1],
    ),
    (
        "qnli",
        "dev",
        "QNLI/dev.tsv",
        ["index\tquestion\tsentence\tlabel", "0\tWho?\tHe.\tnot_entailment"],
        ["Who?", "He."],
        [1],
    ),
    (
        "rte",
        "train",
        "RTE/train.tsv",
        ["index\tsentence1\tsentence2\tlabel", "0\ta\tb\tentailment"],
        ["a", "b"],
        [0],
    ),
    ("rte", "test", "RTE/test.tsv", ["index\tsentence1\tsentence2", "0\ta\tb"], ["a", "b"], [-1]),
    ("wnli", "dev", "WNLI/dev.tsv", ["index\tsentence1\tsentence2\tlabel", "0\ta\tb\t1"], ["a", "b"], [1]),
    ("ax", "test", "diagnostic/diagnostic.tsv", ["index\tsentence1\tsentence2", "0\ta\tb"], ["a", "b"], [-1]),
    ("ax", "test", "AX.tsv", ["index\tsentence1\tsentence2", "0\ta\tb"], ["a", "b"], [-1]),
    (
        "ax",
        "test",
        "diagnostic/diagnostic-full.tsv",
        [
            "Lexical Semantics\tPredicate-Argument Structure\tLogic\tKnowledge\tDomain\tPremise\tHypothesis\tLabel",
            "\t\tNegation\t\tNews\ta\tb\tcontradiction",
        ],
        ["a", "b"],
        [2],
    ),
]
NAMES = [f"{task}-{split}-{Path(file).stem}" for task, split, file, *_ in OFFICIAL]


def write(path: Path, lines: list[str], *, newline: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = newline.join([*lines, ""]).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def sentences(columns: dict[str, list], row: int) -> list[str]:
    return [columns[name][row] for name in ("sentence1", "sentence2") if name in columns]


@pytest.mark.parametrize("parent", ["glue", "."])
@pytest.mark.parametrize(("newline", "ending"), [("\n", ""), ("\r\n", ""), ("\n", ".gz")])
@pytest.mark.parametrize(("task", "split", "file", "lines", "texts", "labels"), OFFICIAL, ids=NAMES)
def test_official_layouts(tmp_path, task, split, file, lines, texts, labels, newline, ending, parent) -> None:
    layout = LAYOUTS[task]
    write(tmp_path / parent / f"{file}{ending}", lines, newline=newline)
    path = require_glue_file(layout, tmp_path, split)
    assert path == tmp_path / parent / f"{file}{ending}"
    table = read_glue(layout, path, split)
    assert table.columns["id"] == [f"{split}-{number}" for number in range(len(labels))]
    assert table.columns["label"] == labels
    assert sentences(table.columns, 0) == texts
    assert table.notes == ()


def test_ids_come_from_the_index_column(tmp_path) -> None:
    path = write(tmp_path / "dev.tsv", ["index\tsentence1\tsentence2\tlabel", "12\ta\tb\t0", "007\tc\td\t1"])
    assert read_glue(LAYOUTS["wnli"], path, "dev").columns["id"] == ["dev-12", "dev-7"]


def test_unlabelled_scores_are_nan(tmp_path) -> None:
    header = STSB_HEAD.replace(" ", "\t")
    path = write(tmp_path / "test.tsv", [header, "0\tg\tf\t2012\t0\tn\tn\tA cat.\tA dog."])
    assert math.isnan(read_glue(LAYOUTS["stsb"], path, "test").columns["label"][0])


def test_malformed_qqp_lines_are_skipped_and_counted(tmp_path) -> None:
    rows = ["5\t1\t2\ta\tb\t1", "6\t1\t2\tcut", "7\t1\t2\tc\td\t", "8\t1\t2\te\tf\tg\t0", "9\t1\t2\th\ti\t0"]
    path = write(tmp_path / "train.tsv", ["id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", *rows])
    table = read_glue(LAYOUTS["qqp"], path, "train")
    assert table.columns["id"] == ["train-0", "train-4"]
    assert table.columns["label"] == [1, 0]
    assert table.notes == ("train.tsv: 3 malformed lines skipped",)


QQP_TEST = ["id\tquestion1\tquestion2", "0\ta\tb", "1\tc\td", "2\te\tf"]


@pytest.mark.parametrize(
    ("at", "broken", "found"),
    [(2, ["1\tc", "c\td"], ":3: .*found 2, expected 3"), (3, ["2\te\tf\tg"], ":4: .*found 4, expected 3")],
)
def test_a_broken_line_of_a_test_file_is_refused(tmp_path, at, broken, found) -> None:
    path = write(tmp_path / "test.tsv", [*QQP_TEST[:at], *broken, *QQP_TEST[at + 1 :]])
    with pytest.raises(DataError, match=f"test.tsv{found}"):
        read_glue(LAYOUTS["qqp"], path, "test")


def test_rows_of_a_test_file_keep_their_official_number(tmp_path) -> None:
    path = write(tmp_path / "test.tsv", [QQP_TEST[0], *QQP_TEST[2:]])
    assert read_glue(LAYOUTS["qqp"], path, "test").columns["id"] == ["test-1", "test-2"]


def test_gold_is_read_and_numbered_like_dev(tmp_path) -> None:
    rows = ["5\t1\t2\ta\tb\t1", "6\t1\t2\tcut", "9\t1\t2\th\ti\t0"]
    gold = write(tmp_path / "dev.tsv", ["id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", *rows])
    predictions = write(tmp_path / "QQP.tsv", ["index\tprediction", "0\t1", "2\t1"])
    assert GlueFiles("glue/qqp", LAYOUTS["qqp"]).score(gold, predictions)["accuracy"] == 50.0


def test_original_mrpc_is_split_by_the_official_list(tmp_path) -> None:
    rows = ["1\t1\t2\ta\tb", "0\t3\t4\tc\td", "1\t5\t6\te\tf"]
    header = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String"
    write(tmp_path / "MRPC/msr_paraphrase_train.txt", [header, *rows], newline="\r\n")
    path = require_glue_file(LAYOUTS["mrpc"], tmp_path, "dev")
    with pytest.raises(DataError, match=r"looked for dev_ids.tsv or mrpc_dev_ids.tsv"):
        read_glue(LAYOUTS["mrpc"], path, "train")
    listing = write(tmp_path / "MRPC/mrpc_dev_ids.tsv", ["3\t4"])
    train, dev = (read_glue(LAYOUTS["mrpc"], path, split) for split in ("train", "dev"))
    assert train.columns["id"] == ["train-0", "train-2"]
    assert dev.columns["id"] == ["dev-1"]
    assert dev.also_read == (listing,)


def test_missing_files(tmp_path) -> None:
    assert find_glue_files(LAYOUTS["rte"], tmp_path, "dev") == []
    with pytest.raises(DataError, match=r"glue/RTE: no such folder \(looked here for dev.tsv\)"):
        require_glue_file(LAYOUTS["rte"], tmp_path, "dev")
    write(tmp_path / "RTE/train.tsv", ["x"])
    with pytest.raises(DataError, match=r"RTE: file not found; looked for dev.tsv, plain or .gz"):
        require_glue_file(LAYOUTS["rte"], tmp_path, "dev")


RTE_HEAD = "index\tsentence1\tsentence2\tlabel"
STSB_ROW = "0\tg\tf\t2012\t0\tn\tn\tA cat.\tA dog.\t"
STSB_FULL_HEAD = f"{STSB_HEAD} score".replace(" ", "\t")


@pytest.mark.parametrize(
    ("task", "lines", "expected"),
    [
        (
            "rte",
            [RTE_HEAD, "0\ta\tb\tentailment", "1\ta\tentailment"],
            ":3: every row of this file has 4 tab-separated",
        ),
        (
            "rte",
            [RTE_HEAD, "0\ta\tb\tentailment\tc"],
            ":2: every row of this file has 4 .* columns; found 5, expected 4",
        ),
        ("cola", ["gj04\t1\tHe left."], ":1: every row of this file has 4 tab-separated columns; found 3, expected 4"),
        ("rte", [RTE_HEAD, "0\ta\tb\tentailmant"], ":2: label: unknown label 'entailmant'; nearest: 'entailment'"),
        ("rte", [RTE_HEAD, "0\ta\tb\t7"], ":2: label: unknown label '7'; the labels are entailment, not_entailment"),
        ("sst2", ["sentence\tlabel", "a\tpositive"], ":2: label: unknown label 'positive'; the labels are 0, 1"),
        ("stsb", [STSB_FULL_HEAD, STSB_ROW + "high"], ":2: score: must be a number; found 'high'"),
        ("stsb", [STSB_FULL_HEAD, STSB_ROW + "inf"], ":2: score: must be a number; found 'inf'"),
        ("stsb", [STSB_FULL_HEAD, STSB_ROW + "5.2"], ":2: score: a score lies between 0 and 5; found '5.2'"),
        (
            "rte",
            ["index\tsentence1\tsentense2\tlabel"],
            ":1: the header must have the column 'sentence2'; nearest: 'sentense2'",
        ),
        (
            "rte",
            ["index\tsentence1\tsentence2", "0\ta\tb"],
            ":1: the header must have the column 'label'; found index,",
        ),
        ("rte", ["0\ta\tb\tentailment"], ":1: the header must have the column 'sentence1'; "),
        (
            "rte",
            [RTE_HEAD, "0\ta\tb\tentailment", "0\tc\td\tentailment"],
            ":3: index: must be unique; 0 is also on line 2",
        ),
        ("rte", [RTE_HEAD, "x\ta\tb\tentailment"], ":2: index: must be a whole number of at most 18 digits; found 'x'"),
        ("rte", [RTE_HEAD], ": holds no example of split 'dev'"),
        ("qqp", ["id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "1\t2"], ": holds no example of split 'dev'"),
    ],
)
def test_bad_rows(tmp_path, task, lines, expected) -> None:
    path = write(tmp_path / "dev.tsv", lines)
    with pytest.raises(DataError, match=f"dev.tsv{expected}") as caught:
        read_glue(LAYOUTS[task], path, "dev")
    assert "\n" not in str(caught.value)


def test_bad_files(tmp_path) -> None:
    layout = LAYOUTS["rte"]
    path = write(tmp_path / "dev.tsv", [RTE_HEAD, "0\ta\tb\tentailment"])
    path.write_bytes(path.read_bytes() + b"1\ta\xff\tb\tentailment\n")
    with pytest.raises(DataError, match=r"dev.tsv:3: not valid UTF-8"):
        read_glue(layout, path, "dev")
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"dev.tsv: file is empty"):
        read_glue(layout, path, "dev")
    packed = write(tmp_path / "dev.tsv.gz", [RTE_HEAD, "0\ta\tb\tentailment"])
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"dev.tsv.gz: truncated or damaged gzip"):
        read_glue(layout, packed, "dev")
    with pytest.raises(DataError, match=r"gone.tsv: file not found"):
        read_glue(layout, tmp_path / "gone.tsv", "dev")


# --- predictions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", LAYOUTS)
def test_predictions_survive_writing_and_reading(tmp_path, task) -> None:
    layout = LAYOUTS[task]
    labels = [0.1 + 0.2, 5.0] if layout.labels is None else list(range(len(layout.labels)))
    for split, name in layout.submissions.items():
        predictions = {f"{split}-{10 + number}": label for number, label in enumerate(labels)}
        write_glue_predictions(layout, tmp_path / name, predictions)
        assert read_glue_predictions(layout, tmp_path / name, split) == predictions


def test_official_prediction_files(tmp_path) -> None:
    write_glue_predictions(LAYOUTS["qnli"], tmp_path / "QNLI.tsv", {"test-0": 1, "test-1": 0})
    assert (tmp_path / "QNLI.tsv").read_bytes() == b"index\tprediction\n0\tnot_entailment\n1\tentailment\n"
    write_glue_predictions(LAYOUTS["stsb"], tmp_path / "STS-B.tsv", {"test-0": 5.25, "test-1": -1})
    assert (tmp_path / "STS-B.tsv").read_bytes() == b"index\tprediction\n0\t5.0\n1\t0.0\n"
    names = {name for layout in LAYOUTS.values() for name in layout.submissions.values()}
    nine = {"CoLA.tsv", "SST-2.tsv", "MRPC.tsv", "STS-B.tsv", "QNLI.tsv", "RTE.tsv", "WNLI.tsv", "QQP.tsv", "AX.tsv"}
    assert names == nine | {"MNLI-m.tsv", "MNLI-mm.tsv"}


def test_predicted_scores_may_overshoot(tmp_path) -> None:
    path = write(tmp_path / "p.tsv", ["index\tprediction", "0\t5.25", "1\t-1e-1"], newline="\r\n")
    assert read_glue_predictions(LAYOUTS["stsb"], path, "dev") == {"dev-0": 5.25, "dev-1": -0.1}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["0\tentailment"], ":1: the header must be index, prediction; found 0, entailment"),
        (["index\tprediction", "0\tentails"], ":2: prediction: unknown label 'entails'; nearest: 'entailment'"),
        (["index\tprediction", "0\tentailment", "0\tentailment"], ":3: index: must be unique; 0 is also on line 2"),
        (["index\tprediction", "0"], ":2: a prediction is a line of index and prediction; found 1 columns, expected 2"),
        (["index\tprediction"], ": holds no prediction"),
    ],
)
def test_bad_predictions(tmp_path, lines, expected) -> None:
    path = write(tmp_path / "p.tsv", lines)
    with pytest.raises(DataError, match=f"p.tsv{expected}"):
        read_glue_predictions(LAYOUTS["rte"], path, "dev")


# All that a tab-separated line can hold: the official files have quotes and Unicode line separators in them.
LINE_TEXT = st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=["Cs"]), max_size=20)


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(st.tuples(LINE_TEXT, LINE_TEXT, st.sampled_from([0, 1])), min_size=1, max_size=5))
def test_any_text_is_read_back(rows, tmp_path_factory) -> None:
    lines = [f"{number}\t{one}\t{two}\t{label}" for number, (one, two, label) in enumerate(rows)]
    path = write(tmp_path_factory.mktemp("any") / "dev.tsv", [RTE_HEAD, *lines])
    columns = read_glue(LAYOUTS["wnli"], path, "dev").columns
    assert list(zip(columns["sentence1"], columns["sentence2"], columns["label"], strict=True)) == rows


# --- real files -------------------------------------------------------------------------------------------------------

COUNTS = {
    ("qnli", "train"): 4119,
    ("qnli", "dev"): 1344,
    ("qnli", "test"): 5463,
    ("mnli", "train"): 8630,
    ("mnli", "dev_matched"): 1185,
    ("mnli", "dev_mismatched"): 1000,
    ("wnli", "train"): 635,
    ("wnli", "dev"): 71,
    ("wnli", "test"): 146,
    ("stsb", "train"): 1000,
    ("stsb", "dev"): 750,
}


@pytest.mark.data
@pytest.mark.skipif("ATINUKE_DATA" not in os.environ, reason="ATINUKE_DATA names no folder of official files")
@pytest.mark.parametrize(("task", "split"), COUNTS)
def test_real_files(task, split) -> None:
    layout = LAYOUTS[task]
    table = read_glue(layout, require_glue_file(layout, os.environ["ATINUKE_DATA"], split), split)
    assert len(table) == len(set(table.columns["id"])) == COUNTS[task, split]
    assert (-1 in table.columns["label"]) == split.startswith("test")


def test_files_of_one_split_are_all_found_best_first(tmp_path) -> None:
    for name in ("MRPC/msr_paraphrase_test.txt", "MRPC/test.tsv.gz", "glue/MRPC/test.tsv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in find_glue_files(LAYOUTS["mrpc"], tmp_path, "test")]
    assert found == ["glue/MRPC/test.tsv", "MRPC/test.tsv.gz", "MRPC/msr_paraphrase_test.txt"]
