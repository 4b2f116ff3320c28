"""The most frequent tag of each word."""

from __future__ import annotations

from datasets import Dataset

from atinuke_bench.config import make_run_config
from atinuke_bench.tasks.tagging.floor import most_frequent_tags


def test_words_seen_and_unseen():
    train = Dataset.from_dict(
        {"words": [["Ada", "runs", "ada"], ["Ada", "is", "is"]], "tags": [["PER", "V", "N"], ["LOC", "V", "A"]]}
    )
    asked = Dataset.from_dict({"id": ["a"], "words": [["Ada", "is", "ada", "Ben"]]})
    # Of PER and LOC, and of V and A, once each: the first in alphabetical order. V is the most frequent of all.
    assert most_frequent_tags(train, asked, make_run_config("tagging/conll2003", "majority")) == {
        "a": ["LOC", "A", "N", "V"]
    }
