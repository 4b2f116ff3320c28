"""GLUE: the official tab-separated files of its ten tasks, and the official prediction files.

The ten layouts are data (`LAYOUTS`); one reader serves them all. There is no quoting: a `"` is an ordinary character.
Letters: the *index* of an example is its number in the official file; its *id* is `<split>-<index>`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atinuke_bench.data.table import UNLABELLED, Table, is_hidden
from atinuke_bench.data.text import find_copies, read_lines, require_file, whole_number
from atinuke_bench.errors import DataError, nearest
from atinuke_bench.sentences.files import score_aligned
from atinuke_bench.tasks.glue.metric import METRICS
from atinuke_bench.training.capabilities import OfficialFiles

Label = int | float
Row = tuple[int, int, list[str]]  # line from 1, number of the row from 0, fields
RowFilter = Callable[[dict[str, str]], bool]

NLI_LABELS = ("entailment", "neutral", "contradiction")
ENTAILMENT_LABELS = ("entailment", "not_entailment")
BINARY_LABELS = ("0", "1")

_PARENTS = ("glue", "GLUE", "glue_data", ".")


def _three_splits(**also: str) -> dict[str, tuple[str, ...]]:
    return {split: (f"{split}.tsv", *filter(None, [also.get(split)])) for split in ("train", "dev", "test")}


@dataclass(frozen=True)
class GlueLayout:
    """How one task's official files look.

    A column is a tuple of the header names it goes by; the first that the header has is taken.
    """

    name: str
    folders: tuple[str, ...]
    text_columns: tuple[tuple[str, ...], ...]
    label_columns: tuple[str, ...] = ("label",)
    #: Label names in canonical order; None for a similarity score from 0 to 5.
    labels: tuple[str, ...] | None = BINARY_LABELS
    #: Accepted file names of each split.
    files: Mapping[str, tuple[str, ...]] = field(default_factory=_three_splits)
    #: Columns that hold the index; where the header has none of them, the row's number from 0 is the index.
    index_columns: tuple[str, ...] = ("index",)
    #: The same in test files.
    test_index_columns: tuple[str, ...] = ("index",)
    #: Column names of files without a header.
    headerless: tuple[str, ...] = ()
    #: Whether rows of train and dev with a wrong number of columns are skipped and counted, as the official loaders do.
    #: Rows of a test file are never skipped: each must be answered, under its number.
    skips_malformed: bool = False
    #: Lists of the id pairs that belong to dev, when the original file holds train and dev together.
    dev_id_files: tuple[str, ...] = ()
    #: Name of the official prediction file of each test split.
    submissions: Mapping[str, str] = field(default_factory=dict)


_PAIR = (("sentence1",), ("sentence2",))
_MNLI_SPLITS = ("train", "dev_matched", "dev_mismatched", "test_matched", "test_mismatched")

LAYOUTS: dict[str, GlueLayout] = {
    "cola": GlueLayout(
        "CoLA",
        ("CoLA", "cola"),
        (("sentence",),),
        headerless=("source", "label", "star", "sentence"),
        submissions={"test": "CoLA.tsv"},
    ),
    "sst2": GlueLayout("SST-2", ("SST-2", "SST2", "sst2", "SST"), (("sentence",),), submissions={"test": "SST-2.tsv"}),
    "mrpc": GlueLayout(
        "MRPC",
        ("MRPC", "mrpc"),
        (("#1 String",), ("#2 String",)),
        label_columns=("Quality",),
        files=_three_splits(
            train="msr_paraphrase_train.txt", dev="msr_paraphrase_train.txt", test="msr_paraphrase_test.txt"
        ),
        dev_id_files=("dev_ids.tsv", "mrpc_dev_ids.tsv"),
        submissions={"test": "MRPC.tsv"},
    ),
    # The `id` of train and dev is Quora's own; the copy on the Hub counts rows, and so do we. In test it is the index.
    "qqp": GlueLayout(
        "QQP",
        ("QQP", "qqp"),
        (("question1",), ("question2",)),
        label_columns=("is_duplicate",),
        index_columns=(),
        test_index_columns=("id",),
        skips_malformed=True,
        submissions={"test": "QQP.tsv"},
    ),
    "stsb": GlueLayout(
        "STS-B",
        ("STS-B", "STSB", "stsb", "STS"),
        _PAIR,
        label_columns=("score",),
        labels=None,
        submissions={"test": "STS-B.tsv"},
    ),
    "mnli": GlueLayout(
        "MNLI",
        ("MNLI", "mnli"),
        _PAIR,
        label_columns=("gold_label",),
        labels=NLI_LABELS,
        files={split: (f"{split}.tsv",) for split in _MNLI_SPLITS},
        submissions={"test_matched": "MNLI-m.tsv", "test_mismatched": "MNLI-mm.tsv"},
    ),
    "qnli": GlueLayout(
        "QNLI",
        ("QNLI", "qnli"),
        (("question",), ("sentence",)),
        labels=ENTAILMENT_LABELS,
        submissions={"test": "QNLI.tsv"},
    ),
    "rte": GlueLayout("RTE", ("RTE", "rte"), _PAIR, labels=ENTAILMENT_LABELS, submissions={"test": "RTE.tsv"}),
    "wnli": GlueLayout("WNLI", ("WNLI", "wnli"), _PAIR, submissions={"test": "WNLI.tsv"}),
    # The labelled edition has other column names and no index; its rows are in the same order.
    "ax": GlueLayout(
        "AX",
        ("AX", "ax", "diagnostic", "diagnostics", "MNLI", "."),
        (("sentence1", "Premise"), ("sentence2", "Hypothesis")),
        label_columns=("label", "Label", "gold_label"),
        labels=NLI_LABELS,
        files={"test": ("diagnostic-full.tsv", "diagnostic.tsv", "AX.tsv")},
        submissions={"test": "AX.tsv"},
    ),
}


class GlueFiles(OfficialFiles):
    """An official file as gold, and the official prediction file."""

    def __init__(self, task: str, layout: GlueLayout) -> None:
        self.metric = METRICS[task][0]
        self.layout = layout

    def score(self, gold: Path, predictions: Path) -> dict[str, Any]:
        # Ids are only compared with each other here. Most gold files are dev files, and are read like them.
        columns = read_glue(self.layout, gold, "gold").columns
        truth = dict(zip(columns["id"], columns["label"], strict=True))
        answers = read_glue_predictions(self.layout, predictions, "gold")
        return score_aligned(self.metric, self.layout.labels, truth, answers, where=str(predictions))


def find_glue_files(layout: GlueLayout, data_dir: str | Path, split: str) -> list[Path]:
    """The official files of `split` under `data_dir` (also in its `glue` folder), plain or `.gz`, best first."""
    return find_copies(_folders(layout, data_dir), layout.files[split])


def require_glue_file(layout: GlueLayout, data_dir: str | Path, split: str) -> Path:
    """The official file of `split`; DataError when there is none."""
    found = find_glue_files(layout, data_dir, split)
    if found:
        return found[0]
    present = [folder for folder in _folders(layout, data_dir) if folder.is_dir()]
    return require_file(present[0] if present else Path(data_dir) / "glue" / layout.folders[0], *layout.files[split])


def _folders(layout: GlueLayout, data_dir: str | Path) -> list[Path]:
    return [Path(data_dir) / parent / folder for folder in layout.folders for parent in _PARENTS]


def read_glue(layout: GlueLayout, path: str | Path, split: str) -> Table:
    """The examples of one official file.

    When `split` starts with `test`, the column of labels may be missing and no row is skipped; where single labels are
    hidden, a note says how many. Raises DataError, naming line and column, for a wrong header or number of columns, an
    unknown label, a score outside 0 to 5, a repeated index or a file without rows.
    """
    path = Path(path)
    header, rows = _open(layout, path)
    is_test = split.startswith("test")
    columns = _Columns.of(layout, path, header, is_test=is_test)
    keep, also_read = _split_rule(layout, path, split)
    table: dict[str, list[Any]] = {"id": [], **{name: [] for name in columns.text_names}, "label": []}
    lines: dict[str, int] = {}
    num_malformed = 0
    for line, number, fields in rows:
        if layout.skips_malformed and not is_test and not columns.is_well_formed(fields):
            num_malformed += 1
            continue
        columns.require_count(line, fields)
        if keep is not None and not keep(dict(zip(header, fields, strict=True))):
            continue
        table["id"].append(f"{split}-{_require_new(path, line, columns.index(line, number, fields), lines)}")
        table["label"].append(columns.label(line, fields))
        for name, text in zip(columns.text_names, columns.texts(fields), strict=True):
            table[name].append(text)
    if not table["id"]:
        raise DataError(f"holds no example of split {split!r}", path=path)
    notes = [f"{path.name}: {num_malformed} malformed lines skipped"] if num_malformed else []
    num_hidden = sum(not label >= 0 for label in table["label"])
    if 0 < num_hidden < len(table["id"]):
        notes.append(f"{path.name}: {num_hidden} of {len(table['id'])} examples have no label")
    return Table(table, tuple(notes), also_read)


def _open(layout: GlueLayout, path: Path) -> tuple[list[str], Iterator[Row]]:
    """The header, and the rows below it. Blank lines are no rows, as in Python's csv, which official loaders use."""
    lines = [(line, text.split("\t")) for line, text in read_lines(path) if text]
    first = lines[0][1] if lines else []
    has_header = not layout.headerless or all(names[0] in first for names in layout.text_columns)
    header = first if has_header else list(layout.headerless)
    rows = lines[1:] if has_header else lines
    return header, ((line, number, fields) for number, (line, fields) in enumerate(rows))


def _split_rule(layout: GlueLayout, path: Path, split: str) -> tuple[RowFilter | None, tuple[Path, ...]]:
    """Which rows belong to `split` when one original file holds both train and dev; None when all do."""
    together = layout.files.get("dev", ())[1:]
    if split not in ("train", "dev") or path.name.removesuffix(".gz") not in together:
        return None, ()
    # Without the list, train would hold the dev pairs too.
    listing = require_file(path.parent, *layout.dev_id_files)
    dev_ids = {tuple(text.split("\t")[:2]) for _, text in read_lines(listing)}
    wanted = split == "dev"
    return (lambda row: ((row["#1 ID"], row["#2 ID"]) in dev_ids) == wanted), (listing,)


@dataclass(frozen=True)
class _Columns:
    """Where the canonical columns are in one file."""

    layout: GlueLayout
    path: Path
    num_columns: int
    texts_at: tuple[int, ...]
    label_at: int | None
    index_at: int | None
    label_name: str

    @classmethod
    def of(cls, layout: GlueLayout, path: Path, header: list[str], *, is_test: bool) -> _Columns:
        found = (_position(path, header, names, required=True) for names in layout.text_columns)
        texts_at = tuple(at for at in found if at is not None)
        label_at = _position(path, header, layout.label_columns, required=not is_test)
        index_columns = layout.test_index_columns if is_test else layout.index_columns
        index_at = _position(path, header, index_columns, required=False)
        label_name = header[label_at] if label_at is not None else layout.label_columns[0]
        return cls(layout, path, len(header), texts_at, label_at, index_at, label_name)

    @property
    def text_names(self) -> tuple[str, ...]:
        return ("sentence1", "sentence2")[: len(self.texts_at)]

    def is_well_formed(self, fields: list[str]) -> bool:
        return len(fields) == self.num_columns and (self.label_at is None or fields[self.label_at] != "")

    def require_count(self, line: int, fields: list[str]) -> None:
        if len(fields) != self.num_columns:
            rule = f"every row of this file has {self.num_columns} tab-separated columns"
            raise DataError(f"{rule}; found {len(fields)}, expected {self.num_columns}", path=self.path, line=line)

    def texts(self, fields: list[str]) -> list[str]:
        return [fields[at] for at in self.texts_at]

    def label(self, line: int, fields: list[str]) -> Label:
        if self.label_at is None or is_hidden(fields[self.label_at]):
            return math.nan if self.layout.labels is None else UNLABELLED
        return _parse_label(self.layout, self.path, line, self.label_name, fields[self.label_at])

    def index(self, line: int, number: int, fields: list[str]) -> str:
        return str(number) if self.index_at is None else _parse_index(self.path, line, fields[self.index_at])


def _position(path: Path, header: list[str], names: tuple[str, ...], *, required: bool) -> int | None:
    for name in names:
        if name in header:
            return header.index(name)
    if not required:
        return None
    near = nearest(names[0], header)
    hint = f"nearest: {near!r}" if near is not None else f"found {', '.join(header)[:200]}"
    raise DataError(f"the header must have the column {names[0]!r}; {hint}", path=path, line=1)


def _parse_label(layout: GlueLayout, path: Path, line: int, column: str, text: str) -> Label:
    if layout.labels is None:
        score = _parse_number(path, line, column, text)
        if not 0 <= score <= 5:
            raise DataError(f"a score lies between 0 and 5; found {text!r}", path=path, line=line, field=column)
        return score
    if text in layout.labels:
        return layout.labels.index(text)
    near = nearest(text, layout.labels)
    hint = f"nearest: {near!r}" if near is not None else f"the labels are {', '.join(layout.labels)}"
    raise DataError(f"unknown label {text!r}; {hint}", path=path, line=line, field=column)


def _parse_number(path: Path, line: int, column: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"must be a number; found {text!r}", path=path, line=line, field=column)
    return number


def _parse_index(path: Path, line: int, text: str) -> str:
    return str(whole_number(text, path=path, line=line, field="index"))


def _require_new(path: Path, line: int, index: str, lines: dict[str, int]) -> str:
    if index in lines:
        raise DataError(f"must be unique; {index} is also on line {lines[index]}", path=path, line=line, field="index")
    lines[index] = line
    return index


# --- predictions ------------------------------------------------------------------------------------------------------


def read_glue_predictions(layout: GlueLayout, path: str | Path, split: str) -> dict[str, Label]:
    """Predicted label of each id of `split`, from a file of the columns `index` and `prediction`.

    Classes are written by name where the task names them, as numbers otherwise. Raises DataError for a wrong header or
    number of columns, an unknown label or a repeated index.
    """
    path = Path(path)
    predictions: dict[str, Label] = {}
    lines: dict[str, int] = {}
    for line, text in read_lines(path):
        fields = text.split("\t")
        if line == 1:
            if fields != ["index", "prediction"]:
                raise DataError(
                    f"the header must be index, prediction; found {', '.join(fields)[:200]}", path=path, line=1
                )
        elif text:
            if len(fields) != 2:
                problem = f"a prediction is a line of index and prediction; found {len(fields)} columns, expected 2"
                raise DataError(problem, path=path, line=line)
            index = _require_new(path, line, _parse_index(path, line, fields[0]), lines)
            predictions[f"{split}-{index}"] = _parse_prediction(layout, path, line, fields[1])
    if not predictions:
        raise DataError("holds no prediction", path=path)
    return predictions


def _parse_prediction(layout: GlueLayout, path: Path, line: int, text: str) -> Label:
    # A regression may overshoot the scale; the correlations take it as it is.
    if layout.labels is None:
        return _parse_number(path, line, "prediction", text)
    return _parse_label(layout, path, line, "prediction", text)
