"""Where a task's examples come from: official files in a folder, or a data set on the Hugging Face Hub.

Both give the same thing, `Loaded`: one canonical `datasets.Dataset` per split, and a fingerprint of what was read.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import numpy as np
from datasets.exceptions import DatasetsError
from datasets.packaged_modules.parquet.parquet import Parquet
from huggingface_hub.errors import HTTPError, RepositoryNotFoundError, RevisionNotFoundError

from atinuke_bench.data.split_files import SplitFiles
from atinuke_bench.data.table import UNLABELLED, Table, is_hidden
from atinuke_bench.data.text import content_sha256, require_whole_text
from atinuke_bench.errors import DataError, first_line, nearest
from atinuke_bench.files import git_blob_id

#: A file, and the function that reads it into a table.
LocalFile = tuple[Path, Callable[[Path], Table]]


@dataclass(frozen=True)
class Loaded:
    """The splits of a task, and what was read to make them."""

    splits: dict[str, datasets.Dataset]
    #: sha256 of each file's content, by `<split>/<file name>` (local, unpacked) or by its path in the repository (hub).
    files: dict[str, str]
    #: The commit that was read (hub only).
    revision: str | None = None
    notes: tuple[str, ...] = ()
    #: Which file was looked for, for each split that was not found.
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """sha256 over the names and contents of the files read, and the commit if there is one."""
        record = json.dumps([sorted(self.files.items()), self.revision])
        return hashlib.sha256(record.encode()).hexdigest()


@dataclass(frozen=True)
class HubDataset:
    """Declares a data set on the Hub and how its rows become canonical ones."""

    repo: str
    config: str
    #: Canonical split -> split on the Hub.
    splits: Mapping[str, str]
    #: Column on the Hub -> canonical column. Without a column for `id`, rows are numbered from 0.
    columns: Mapping[str, str] = field(default_factory=dict)
    #: The commit or tag that is read unless the user names another; None for the newest.
    revision: str | None = None
    #: Makes the canonical table of a split from its rows and its name for messages, where naming columns is not enough.
    reader: Callable[[datasets.Dataset, str, str], Table] | None = None


def canonical_features(labels: tuple[str, ...] | None, *, pair: bool) -> datasets.Features:
    """Features of a classification task (its label names) or a scoring task (None), of single sentences or pairs.

    >>> list(canonical_features(("0", "1"), pair=False))
    ['id', 'sentence1', 'label']
    """
    text = datasets.Value("string")
    sentences = {"sentence1": text, "sentence2": text} if pair else {"sentence1": text}
    label = datasets.Value("float64") if labels is None else datasets.ClassLabel(names=list(labels))
    return datasets.Features({"id": text, **sentences, "label": label})


# --- local files ------------------------------------------------------------------------------------------------------


def load_local(files: Mapping[str, LocalFile], features: datasets.Features, found: SplitFiles | None = None) -> Loaded:
    """Read each split's file with its reader.

    A file and its `.gz` have the same fingerprint, since it is taken from the unpacked content. `found` says how the
    files were found.
    """
    splits: dict[str, datasets.Dataset] = {}
    hashes: dict[str, str] = {}
    notes: list[str] = []
    also_read: set[Path] = set()
    for split, (path, reader) in files.items():
        table = reader(path)
        try:
            splits[split] = _dataset(table.columns, features)
        except UnicodeEncodeError:
            require_whole_text(table.columns, path=path)
            raise
        for read in (path, *table.also_read):
            hashes[f"{split}/{read.name.removesuffix('.gz')}"] = content_sha256(read)
        also_read.update(table.also_read)
        notes += [f"{split}: {note}" for note in table.notes]
    if found is None:
        return Loaded(splits, hashes, notes=tuple(notes))
    return Loaded(splits, hashes, notes=(*found.notes(also_read), *notes), absent=found.absent)


def _dataset(columns: Mapping[str, Any], features: datasets.Features) -> datasets.Dataset:
    assert set(columns) == set(features), f"reader gave {sorted(columns)}, features are {sorted(features)}"
    return datasets.Dataset.from_dict({name: columns[name] for name in features}, features=features)


# --- the Hub ----------------------------------------------------------------------------------------------------------


def load_hub(source: HubDataset, features: datasets.Features, revision: str | None = None) -> Loaded:
    """Read a data set from the Hub (parquet only, nothing of it is run) at one commit, which is recorded.

    `revision` takes precedence over the declared one. Class labels are matched to those of `features` by name. Every
    data file is checked against the Hub's own checksum, and the Arrow copy that `datasets` keeps is made again each
    time, since it would be used unchecked. Raises DataError when the Hub cannot be reached, or has no such repository,
    configuration, revision, split or column.
    """
    where = f"{source.repo} ({source.config})"
    commit, checksums = _resolve(source, revision or source.revision)
    with tempfile.TemporaryDirectory(prefix="atinuke-bench-") as scratch, _one_line_errors(where):
        builder = datasets.load_dataset_builder(source.repo, source.config, revision=commit, cache_dir=scratch)
        if not isinstance(builder, Parquet) or builder.repo_id != source.repo:
            raise DataError("only parquet data sets on the Hub are read; this one is not", path=where)
        _require_splits(source, builder, where)
        files = _verified_files(source, builder, commit, checksums)
        builder.download_and_prepare()
        raw = {split: builder.as_dataset(name, in_memory=True) for split, name in source.splits.items()}
    if source.reader is None:
        splits = {split: _canonical(source, rows, split, features) for split, rows in raw.items()}
        return Loaded(splits, files, revision=commit)
    tables = {split: source.reader(rows, split, _place(source, split)) for split, rows in raw.items()}
    splits = {split: _dataset(table.columns, features) for split, table in tables.items()}
    notes = tuple(f"{split}: {note}" for split, table in tables.items() for note in table.notes)
    return Loaded(splits, files, revision=commit, notes=notes)


def splits_on_hub(repo: str, config: str) -> tuple[str, list[str]]:
    """The newest commit of a data set on the Hub and the names of its splits; DataError as in `load_hub`."""
    commit, _ = _resolve(HubDataset(repo, config, {}), None)
    with tempfile.TemporaryDirectory(prefix="atinuke-bench-") as scratch, _one_line_errors(f"{repo} ({config})"):
        builder = datasets.load_dataset_builder(repo, config, revision=commit, cache_dir=scratch)
        return commit, [str(split) for split in builder.config.data_files or ()]


def _resolve(source: HubDataset, revision: str | None) -> tuple[str, dict[str, str]]:
    """The commit that `revision` means now, and the checksum of each of its files."""
    with _one_line_errors(f"{source.repo}@{revision}" if revision else source.repo):
        info = huggingface_hub.HfApi().dataset_info(source.repo, revision=revision, timeout=30, files_metadata=True)
    # Asked for a repository and its files' metadata, the Hub gives all of these.
    checksums = {file.rfilename: file.lfs.sha256 if file.lfs else str(file.blob_id) for file in info.siblings or []}
    return str(info.sha), checksums


@contextmanager
def _one_line_errors(where: str) -> Iterator[None]:
    """Turn what `datasets` and `huggingface_hub` raise for unreachable or unusable data into a DataError."""
    try:
        yield
    except RevisionNotFoundError as error:
        raise DataError("the Hub has no such revision of this data set", path=where) from error
    except RepositoryNotFoundError as error:
        raise DataError("no such data set on the Hub, or no access to it", path=where) from error
    # ValueError: an unknown configuration, a damaged parquet file. RuntimeError: a loading script. ImportError: a SOCKS
    # proxy in the environment.
    except (HTTPError, OSError, DatasetsError, ValueError, RuntimeError, ImportError) as error:
        problem = f"cannot be read from {huggingface_hub.constants.ENDPOINT}: "
        problem += first_line(error)
        if isinstance(error, (HTTPError, OSError, ImportError)):
            problem += "; official files in a folder need no network (--source local --data-dir)"
        raise DataError(problem, path=where) from error


def _require_splits(source: HubDataset, builder: datasets.DatasetBuilder, where: str) -> None:
    present = [str(split) for split in builder.config.data_files]
    for split in source.splits.values():
        if split not in present:
            near = nearest(split, present)
            hint = f"nearest: {near!r}" if near is not None else f"it has {', '.join(present)}"
            raise DataError(f"no split {split!r}; {hint}", path=where)


def _verified_files(
    source: HubDataset, builder: datasets.DatasetBuilder, commit: str, checksums: dict[str, str]
) -> dict[str, str]:
    """Download the data files, and give the sha256 of each; DataError when one is not what the Hub has."""
    prefix = f"hf://datasets/{source.repo}@{commit}/"
    files = {}
    for split in builder.config.data_files:
        for url in builder.config.data_files[split]:
            name = url.removeprefix(prefix)
            path = Path(huggingface_hub.hf_hub_download(source.repo, name, repo_type="dataset", revision=commit))
            content = path.read_bytes()
            found = hashlib.sha256(content).hexdigest()
            if checksums.get(name) not in (found, git_blob_id(content)):
                raise DataError(
                    "the cached copy is not the file on the Hub (its checksum differs); delete it and run again",
                    path=path.resolve(),
                )
            if str(split) in source.splits.values():
                files[name] = found
    return files


def _place(source: HubDataset, split: str) -> str:
    return f"{source.repo} ({source.config}), split {source.splits[split]}"


def _canonical(source: HubDataset, rows: datasets.Dataset, split: str, features: datasets.Features) -> datasets.Dataset:
    where = _place(source, split)
    hub_names = {canonical: name for name, canonical in source.columns.items()}
    columns: dict[str, Any] = {}
    for name in features:
        hub_name = hub_names.get(name, name)
        if hub_name not in rows.column_names:
            if name != "id":
                found = ", ".join(rows.column_names)
                raise DataError(f"no such column; found {found}", path=where, field=hub_name)
            columns["id"] = [f"{split}-{number}" for number in range(len(rows))]
            continue
        values = rows[hub_name][:]
        if name == "id":
            columns["id"] = [f"{split}-{value}" for value in values]
        elif name == "label":
            columns["label"] = _labels(values, rows.features[hub_name], features["label"], f"{where}: {hub_name}")
        elif None in values:
            raise DataError(f"must be text; row {values.index(None)} has none", path=where, field=hub_name)
        else:
            columns[name] = values
    if len(set(columns["id"])) != len(rows):
        raise DataError("ids must be unique; some repeat", path=where, field=hub_names.get("id", "id"))
    return _dataset(columns, features)


def _labels(values: list[Any], hub: Any, canonical: Any, where: str) -> list[Any]:
    """Labels of the Hub as canonical ones; an unknown one (None, NaN, -1) is -1, or NaN where labels are scores."""
    if not isinstance(canonical, datasets.ClassLabel):
        return [_score(value) for value in values]
    order = _label_order(hub, canonical, where)
    known = [UNLABELLED if is_hidden(value) else value for value in values]
    for value in known:
        if value != UNLABELLED and not 0 <= value < len(order):
            raise DataError(f"a label lies between 0 and {len(order) - 1}, or is -1; found {value}", path=where)
    return [UNLABELLED if value == UNLABELLED else order[int(value)] for value in known]


def _label_order(hub: Any, canonical: datasets.ClassLabel, where: str) -> list[int]:
    """Canonical label of each label on the Hub: the one of the same name, where both have names."""
    numbered = canonical.names == [str(number) for number in range(canonical.num_classes)]
    if not isinstance(hub, datasets.ClassLabel) or numbered:
        return list(range(canonical.num_classes))
    if sorted(hub.names) != sorted(canonical.names):
        raise DataError(f"labels must be {', '.join(canonical.names)}; found {', '.join(hub.names)}", path=where)
    return [canonical.str2int(name) for name in hub.names]


def _score(value: float | None) -> float:
    """A score with the decimals that were meant: the Hub stores 3.8 in 32 bits, as 3.799999952316284.

    >>> _score(3.799999952316284), _score(-1.0)
    (3.8, nan)
    """
    return math.nan if is_hidden(value) else float(str(np.float32(value)))
