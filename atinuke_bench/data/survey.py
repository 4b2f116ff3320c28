"""What a data file seems to hold: the first declaration of a task, guessed from its records and its neighbours."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets

from atinuke_bench.data.records import read_table, table_endings
from atinuke_bench.data.sources import HubDataset, load_hub, splits_on_hub
from atinuke_bench.data.split_files import SPLIT_PREFIXES
from atinuke_bench.data.table import Table
from atinuke_bench.data.text import read_lines, read_text
from atinuke_bench.errors import DataError, nearest

#: Records that are looked at.
_MOST = 20_000
#: More different values than this are no classes.
_MOST_CLASSES = 50
_LABELS = ("label", "labels", "gold_label", "class", "category", "target", "y", "sentiment", "stars", "rating", "score")
_IDS = ("id", "idx", "key", "guid", "uid", "pairid", "index")
#: What pairs of texts are often called, and what a declaration calls them.
_PAIRS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("question", "context"),
    ("question", "sentence"),
)
_CONLL_ENDINGS = (".conll", ".conllu", ".iob", ".iob2", ".bio", ".txt", ".tsv")


@dataclass(frozen=True)
class Survey:
    """A guess of what a task file should say, and why."""

    name: str
    kind: str
    #: Split -> file or, on the Hub, split.
    splits: Mapping[str, str]
    fields: Mapping[str, str | int]
    reasons: Sequence[str]
    #: All columns, for a user who wants others.
    columns: Sequence[str] = ()
    hub: Mapping[str, str] = field(default_factory=dict)


def survey_file(path: Path) -> Survey:
    """What a file holds; DataError for one that no kind of task reads."""
    if not path.is_file():
        files = [one.name for one in path.parent.glob("*") if one.is_file()] if path.parent.is_dir() else []
        near = nearest(path.name, files)
        raise DataError("no such file" + (f"; nearest: {near!r}" if near else ""), path=path)
    splits, why = _siblings(path)
    name = _name(path)
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending == ".json" and _is_squad(path):
        return Survey(name, "span", splits, {}, [*why, "kind span: the file has the layout of SQuAD"])
    if ending in _CONLL_ENDINGS and (width := _conll_width(path)):
        reason = f"kind tagging: lines of {width} columns, and blank lines between sentences; tags are in the last"
        return Survey(name, "tagging", splits, {"words": 0, "tags": width - 1}, [*why, reason])
    if ending not in table_endings():
        rule = f"a data file is a table ({', '.join(table_endings())}), CoNLL columns or SQuAD's JSON"
        raise DataError(f"{rule}; found {ending or 'no ending'}", path=path)
    records, has_header = _sample(path)
    return survey_records(name, records, splits, why, has_header=has_header, path=path)


def survey_hub(repo: str, config: str = "default") -> Survey:
    """What a data set on the Hub holds; DataError."""
    commit, names = splits_on_hub(repo, config)
    splits: dict[str, str] = {}
    for name in names:
        splits.setdefault(SPLIT_PREFIXES.get(name, name), name)
    first = splits.get("train", names[0])
    records: list[Mapping[Any, Any]] = []

    def reader(raw: datasets.Dataset, split: str, where: str) -> Table:
        classes = {name: kind.names for name, kind in raw.features.items() if isinstance(kind, datasets.ClassLabel)}
        for record in itertools.islice(raw, _MOST):
            named = {name: known[record[name]] for name, known in classes.items() if (record[name] or 0) >= 0}
            records.append({**record, **dict.fromkeys(classes), **named})
        return Table({"id": []})

    load_hub(
        HubDataset(repo, config, {"train": first}, {}, commit, reader),
        datasets.Features({"id": datasets.Value("string")}),
        commit,
    )
    why = [f"splits: those of {repo} at its newest commit, which `revision` pins"]
    hub = {"hub": repo, **({} if config == "default" else {"config": config}), "revision": commit}
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", repo.rpartition("/")[2]).strip("-._")
    return survey_records(name or "task", records, splits, why, path=repo, hub=hub)


def survey_records(
    name: str,
    records: Sequence[Mapping[Any, Any]],
    splits: Mapping[str, str],
    why: Sequence[str],
    *,
    has_header: bool = True,
    path: Path | str | None = None,
    hub: Mapping[str, str] | None = None,
) -> Survey:
    """What a table's records hold; DataError where no text or no label is found."""
    if not records:
        raise DataError("has no record", path=path)
    columns = {column: [record.get(column) for record in records] for column in records[0]}
    why = list(why) if has_header else [*why, "fields by number: the first row reads as data and not as a header"]
    found = _lists(columns) or _texts(columns, len(records))
    if found is None:
        listed = ", ".join(map(str, columns))[:200]
        raise DataError(f"a column of texts is needed, and one of labels or numbers; found {listed}", path=path)
    kind, fields, reasons = found
    key = next((one for one in columns if str(one).lower() in _IDS and _are_ids(columns[one])), None)
    if key is not None and key not in fields.values():
        fields["id"] = key
        reasons.append(f"id: every value of {key!r} is another")
    return Survey(name, kind, splits, fields, [*why, *reasons], list(map(str, columns)), hub or {})


def _sample(path: Path) -> tuple[list[Mapping[Any, Any]], bool]:
    if path.name.removesuffix(".gz").lower().endswith((".csv", ".tsv")):
        first = next(iter(read_table(path, header=False)), (0, {}))[1]
        if not _is_header(list(first.values())):
            return [record for _, record in itertools.islice(read_table(path, header=False), _MOST)], False
    return [record for _, record in itertools.islice(read_table(path), _MOST)], True


def _is_header(row: Sequence[str]) -> bool:
    """Whether a first row has names: short, different, none of them a number."""
    names = [name.strip() for name in row]
    are_names = all(name and len(name.split()) <= 4 and not _is_number(name) for name in names)
    return are_names and len(set(names)) == len(names)


def _lists(columns: Mapping[Any, list[Any]]) -> tuple[str, dict[str, Any], list[str]] | None:
    """Words with a tag each, or choices of which one is right, where records hold lists."""
    lists = [name for name, values in columns.items() if all(isinstance(value, list) for value in values)]
    for words, tags in itertools.permutations(lists, 2):
        texts = all(isinstance(word, str) for value in columns[words] for word in value)
        same = all(len(one) == len(other) for one, other in zip(columns[words], columns[tags], strict=True))
        if texts and same and "tag" in str(tags).lower():
            reason = f"kind tagging: {words!r} and {tags!r} are lists of one length in every record"
            return "tagging", {"words": words, "tags": tags}, [reason]
    texts_in = [name for name in lists if all(isinstance(one, str) for value in columns[name] for one in value)]
    choices = next(iter(texts_in), None)
    answer = next((name for name in columns if str(name).lower() in ("answer", "label", "gold", "correct")), None)
    text = _longest(columns, {choices, answer})
    if choices is None or answer is None or not text:
        return None
    asked = "question" if "question" in str(text[0]).lower() else "context"
    fields = {asked: text[0], "choices": choices, "answer": answer}
    reason = f"kind multiple-choice: {choices!r} has a list of texts, {answer!r} which is right"
    return "multiple-choice", fields, [reason]


def _texts(columns: Mapping[Any, list[Any]], num: int) -> tuple[str, dict[str, Any], list[str]] | None:
    lower = {str(name).lower(): name for name in columns}
    pair = next(([lower[one] for one in pair] for pair in _PAIRS if all(one in lower for one in pair)), None)
    label = _label_column(columns, set(pair or ()), num)
    if label is None:
        return None
    texts = pair or _longest(columns, {label})
    if not texts:
        return None
    is_pair = pair is not None
    names = ("premise", "hypothesis") if is_pair and "premise" in lower else ("sentence1", "sentence2")
    fields = dict(zip(names if is_pair else ("text",), texts, strict=False))
    known = [value for value in columns[label] if value not in (None, "")]
    different = sorted({str(value) for value in known})
    if all(map(_is_number, known)) and (len(different) > _MOST_CLASSES or not all(map(_is_whole, known))):
        kind, reason = "regression", f"kind regression: {label!r} has numbers, {len(different):,} different ones"
    else:
        shown = ", ".join(different[:5]) + (", …" if len(different) > 5 else "")
        kind = "classification"
        reason = f"kind classification: {label!r} has {len(different)} different values ({shown})"
    named = "a pair of texts by their names" if is_pair else "the longest texts"
    return kind, {**fields, "label": label}, [reason, f"text: {', '.join(map(repr, texts))}, {named}"]


def _label_column(columns: Mapping[Any, list[Any]], taken: set[Any], num: int) -> Any:
    """The column that is named like a label, else that with the fewest different short values; None."""

    def fits(name: Any) -> bool:
        known = [value for value in columns[name] if value not in (None, "")]
        if not known or any(isinstance(value, list | dict) for value in known):
            return False
        different = {str(value) for value in known}
        is_short = all(len(value) <= 60 for value in different)
        few = len(different) <= min(_MOST_CLASSES, max(2, num // 2))
        return is_short and len(different) > 1 and (few or all(map(_is_number, known)))

    free = [name for name in columns if name not in taken and str(name).lower() not in _IDS and fits(name)]
    named = [name for known in _LABELS for name in free if str(name).lower() == known]
    counts = {name: len({str(value) for value in columns[name]}) for name in free}
    return next(iter(named), None) if named else min(free, key=counts.__getitem__, default=None)


def _longest(columns: Mapping[Any, list[Any]], taken: set[Any]) -> list[Any]:
    """The column with the longest texts, alone in a list; none where no column has texts."""
    lengths = {
        name: sum(map(len, values))
        for name, values in columns.items()
        if name not in taken and all(isinstance(value, str) for value in values) and not all(map(_is_number, values))
    }
    return [max(lengths, key=lengths.__getitem__)] if lengths else []


def _are_ids(values: Iterable[Any]) -> bool:
    listed = list(values)
    return all(isinstance(value, str | int) for value in listed) and len(set(listed)) == len(listed)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_whole(value: Any) -> bool:
    return float(value).is_integer()


def _siblings(path: Path) -> tuple[dict[str, str], list[str]]:
    """The files of each split beside a file whose name differs in nothing but the split; the file alone is train."""
    own, rest = _split_of(path)
    if own is None:
        reason = f"splits: {path.name} names no split, so all of it is train, and dev is cut from it"
        return {"train": path.name}, [reason]
    splits: dict[str, str] = {}
    for other in sorted(path.parent.iterdir()):
        split, others = _split_of(other)
        if split is not None and others == rest and other.is_file():
            splits.setdefault(split, other.name)
    splits[own] = path.name
    ordered = {name: splits[name] for name in sorted(splits, key=lambda name: (name != "train", name))}
    return ordered, [f"splits: files that are named alike: {', '.join(ordered.values())}"]


def _split_of(path: Path) -> tuple[str | None, tuple[str, ...]]:
    """The split that a word of a file's name means, and the other words."""
    words = re.split(r"[^a-z0-9]+", path.name.lower().removesuffix(".gz"))
    place = next((place for place, word in enumerate(words) if word in SPLIT_PREFIXES), None)
    if place is None:
        return None, tuple(words)
    return SPLIT_PREFIXES[words[place]], (*words[:place], *words[place + 1 :])


def _name(path: Path) -> str:
    """A task's name from a file's, or from its folder's where the file is named after its split alone."""
    stem = path.name.removesuffix(".gz")
    words = [word for word in re.split(r"[^A-Za-z0-9]+", Path(stem).stem) if word.lower() not in SPLIT_PREFIXES]
    folder = re.sub(r"[^A-Za-z0-9._-]+", "-", path.absolute().parent.name).strip("-._")
    return ("-".join(filter(None, words)) or folder or "task")[:64]


def _is_squad(path: Path) -> bool:
    start = read_text(path)[:2000].replace(" ", "")
    return start.startswith("{") and '"data":[' in start and ('"paragraphs"' in start or '"version"' in start)


def _conll_width(path: Path) -> int:
    """How many columns each line has, where a file has words in lines and sentences between blank ones; else 0."""
    lines = [text for _, text in itertools.islice(read_lines(path), 2000) if not text.startswith(("#", "-DOCSTART-"))]
    separator = "\t" if any("\t" in text for text in lines) else None
    widths = {len(text.split(separator)) for text in lines if text.strip()}
    blanks = sum(not text.strip() for text in lines)
    return widths.pop() if len(widths) == 1 and max(widths, default=0) > 1 and blanks else 0
