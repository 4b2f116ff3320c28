"""Where text comes from, and that nothing held out is trained on."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import Dataset

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.data.sources import Loaded
from atinuke_bench.data.tokenizer import unknown_percent
from atinuke_bench.errors import AtinukeBenchError
from atinuke_bench.registry import load_task
from atinuke_bench.training.prepare import prepare


def test_held_out_documents_are_not_trained_on(make_lm):
    prepared = prepare(make_lm())
    parts = [prepared.train_examples, prepared.selection_examples, *prepared.evaluation_splits.values()]
    texts = [text for part in parts for text in part["text"]]
    assert len(parts) == 4
    assert len(set(texts)) == len(texts) == 60


def test_stories_of_the_microworld_can_be_read(make_lm):
    run = make_run_config(
        "lm",
        "atinuke",
        preset="nano",
        source=SourceConfig(kind="microworld"),
        overrides={f"source.microworld.{split}": size for split, size in (("train", 30), ("dev", 4), ("test", 5))},
    )
    prepared = prepare(run)
    assert {split: len(rows) for split, rows in prepared.loaded.splits.items()} == {"train": 30, "dev": 4, "test": 5}
    assert prepared.protocol()["source"] == "microworld"
    assert prepare(run).identity == prepared.identity


HUB_ROWS = {
    "train": [line for n in range(30) for line in ("", f" = Title {n} = ", f"the cat {n} sees", f"a dog {n} runs")],
    "validation": ["held out text", "", "more of it", None],
}


@pytest.fixture
def load(monkeypatch):
    """`load(**options)`: the texts of each split of a data set on the Hub, whose reading is tested with the sources."""

    def load_hub(source, features, revision):
        assert (source.repo, revision) == ("some/text", "v1")
        splits = {}
        for split, name in source.splits.items():
            table = source.reader(Dataset.from_dict({"body": HUB_ROWS[name]}), split, f"some/text, split {name}")
            splits[split] = Dataset.from_dict(table.columns, features=features)
        return Loaded(splits, {"small/train-0.parquet": "0" * 64}, revision="c" * 40)

    def call(**changes):
        task = load_task("lm")
        base = {"hub_repo": "some/text", "hub_column": "body", "hub_splits": {"train": "train", "dev": "validation"}}
        loaded = task.data.load(SourceConfig(kind="hub", revision="v1"), task.options_class(**{**base, **changes}))
        assert loaded.revision == "c" * 40
        return {split: rows["text"][:] for split, rows in loaded.splits.items()}

    monkeypatch.setattr("atinuke_bench.tasks.lm.data.load_hub", load_hub)
    return call


def test_rows_of_the_hub_are_documents_and_a_missing_split_is_cut(load):
    texts = load()
    assert texts["dev"] == ["held out text", "more of it"]
    assert {split: len(own) for split, own in texts.items()} == {"dev": 2, "test": 4, "train": 86}
    assert len({text for own in texts.values() for text in own}) == 92


def test_rows_of_the_hub_make_blocks_where_asked(load):
    texts = load(documents="blank-line")
    assert (len(texts["train"]), len(texts["test"])) == (29, 1)
    assert "= Title 0 = \nthe cat 0 sees\na dog 0 runs" in texts["train"] + texts["test"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hub_column": "text"}, "split train: text: no such column; found body"),
        ({"hub_splits": {"dev": "validation"}}, "options.hub_splits: it names train .* found dev"),
        ({"documents": "file"}, "on the Hub a document is a row or a blank-line block; nearest: row"),
    ],
)
def test_unusable_settings_of_the_hub_are_refused(load, changes, message):
    with pytest.raises(AtinukeBenchError, match=message):
        load(**changes)


def test_what_an_unknown_word_hides_is_its_bytes_and_the_space_before_it(make_lm):
    prepared = prepare(make_lm())
    texts = ["the cat ☃☃ sees", "☃é", "the ☃ "]
    examples = Dataset.from_dict({"id": ["a", "b", "c"], "text": texts})
    hidden = prepared.task.data.rows(examples, prepared.tokenizer, prepared.run).host["hidden"]
    assert [size for row in range(len(hidden)) for size in hidden[row] if size] == [7, 5, 5]


def test_long_strings_without_spaces_are_read(make_lm, tmp_path):
    """Thai has no spaces between words: its phrases were one [UNK] each, and the cheapest text of all."""
    words = ("ฉัน", "เห็น", "แมว", "บ้าน", "สวย", "วิ่ง")
    draw = np.random.default_rng(0)
    blocks = ["".join(words[int(word)] for word in draw.integers(6, size=120)) for _ in range(40)]
    (tmp_path / "thai.txt").write_text("\n\n".join(blocks), encoding="utf-8")
    prepared = prepare(make_lm(source__data_dir=str(tmp_path)))
    for examples in prepared.loaded.splits.values():
        assert (
            unknown_percent(prepared.tokenizer, prepared.task.data.rows(examples, prepared.tokenizer, prepared.run))
            == 0
        )
