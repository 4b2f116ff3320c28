"""Local sources: canonical data sets and fingerprints of what was read."""

from __future__ import annotations

import gzip
import hashlib
import math
import subprocess
import sys
from functools import partial
from pathlib import Path

import datasets
import pytest

from atinuke_bench.data.sources import Loaded, _labels, canonical_features, load_local
from atinuke_bench.data.table import Table
from atinuke_bench.errors import DataError
from atinuke_bench.tasks.glue.files import LAYOUTS, read_glue
from atinuke_bench.tasks.snli.files import read_snli

HEAD = b"index\tsentence1\tsentence2\tlabel\n"
WNLI = {"train": HEAD + b"0\ta\tb\t1\n1\tc\td\t0\n", "dev": HEAD + b"0\te\tf\t0\n"}
FEATURES = canonical_features(("0", "1"), pair=True)


def load_wnli(folder: Path, contents: dict[str, bytes], ending: str = "") -> Loaded:
    folder.mkdir(exist_ok=True)
    files = {}
    for split, content in contents.items():
        path = folder / f"{split}.tsv{ending}"
        path.write_bytes(gzip.compress(content) if ending else content)
        files[split] = (path, partial(read_glue, LAYOUTS["wnli"], split=split))
    return load_local(files, FEATURES)


def test_splits_are_canonical_datasets(tmp_path) -> None:
    loaded = load_wnli(tmp_path, WNLI)
    assert loaded.splits["train"].features == loaded.splits["dev"].features == FEATURES
    assert loaded.splits["train"].to_dict() == {
        "id": ["train-0", "train-1"],
        "sentence1": ["a", "c"],
        "sentence2": ["b", "d"],
        "label": [1, 0],
    }
    assert loaded.files["train/train.tsv"] == hashlib.sha256(WNLI["train"]).hexdigest()
    assert loaded.revision is None
    assert loaded.notes == ()


def test_the_fingerprint_follows_content_alone(tmp_path) -> None:
    loaded = load_wnli(tmp_path / "a", WNLI)
    assert load_wnli(tmp_path / "b", WNLI).fingerprint == loaded.fingerprint
    assert load_wnli(tmp_path / "c", WNLI, ".gz").fingerprint == loaded.fingerprint
    changed = {**WNLI, "dev": WNLI["dev"].replace(b"e", b"E", 1)}
    swapped = {"train": WNLI["dev"], "dev": WNLI["train"]}
    prints = {load_wnli(tmp_path / "d", contents).fingerprint for contents in (WNLI, changed, swapped)}
    assert len(prints) == 3
    assert Loaded(loaded.splits, loaded.files, revision="1" * 40).fingerprint != loaded.fingerprint


def test_unlabelled_examples_and_notes(tmp_path) -> None:
    path = tmp_path / "snli_1.0_dev.jsonl"
    path.write_text('{"gold_label": "-", "sentence1": "a", "sentence2": "b", "pairID": "x"}\n')
    loaded = load_local({"dev": (path, read_snli)}, canonical_features(("a", "b", "c"), pair=True))
    assert loaded.splits["dev"]["label"][:] == [-1]
    assert loaded.notes == ("dev: 1 pairs have no consensus label ('-')",)
    scores = Table({"id": ["dev-0"], "sentence1": ["a"], "sentence2": ["b"], "label": [math.nan]})
    loaded = load_local({"dev": (path, lambda _: scores)}, canonical_features(None, pair=True))
    assert math.isnan(loaded.splits["dev"]["label"][0])


def test_files_read_beside_the_named_one_are_in_the_fingerprint(tmp_path) -> None:
    header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    path = tmp_path / "msr_paraphrase_train.txt"
    path.write_text(header + "1\t1\t2\ta\tb\n0\t3\t4\tc\td\n0\t5\t6\te\tf\n")
    reader = partial(read_glue, LAYOUTS["mrpc"], split="train")
    fingerprints = []
    for listed in ("1\t2\n", "3\t4\n"):
        (tmp_path / "dev_ids.tsv").write_text(listed)
        loaded = load_local({"train": (path, reader)}, FEATURES)
        fingerprints.append(loaded.fingerprint)
        assert set(loaded.files) == {"train/msr_paraphrase_train.txt", "train/dev_ids.tsv"}
    assert fingerprints[0] != fingerprints[1]


def test_a_reader_with_other_columns_is_a_bug(tmp_path) -> None:
    with pytest.raises(AssertionError, match="features are"):
        load_local({"dev": (tmp_path, lambda _: Table({"id": ["x"], "label": [0]}))}, FEATURES)


def test_scoring_files_needs_neither_torch_nor_datasets() -> None:
    code = "import sys, atinuke_bench.tasks.glue.files, atinuke_bench.metrics.classification; "
    code += "sys.exit(bool({'torch', 'datasets', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_half_a_character_in_a_readers_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dev.txt"
    path.write_text("x")
    table = Table({"id": ["a", "b"], "sentence1": ["x", "\ud83d"], "label": [0, 1]})
    with pytest.raises(DataError, match=r"dev.txt: sentence1\[1\]: holds an unpaired surrogate at character 0"):
        load_local({"dev": (path, lambda _: table)}, canonical_features(("0", "1"), pair=False))


def test_labels_of_the_hub_may_be_hidden_as_no_number() -> None:
    names = canonical_features(("0", "1"), pair=False)["label"]
    assert _labels([1.0, float("nan"), -1, None], datasets.Value("float64"), names, "here") == [1, -1, -1, -1]
