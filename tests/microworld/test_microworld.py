"""What every task's generated examples have in common: stable, balanced, varied, and apart between splits."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from itertools import islice

import pytest

from atinuke_bench.config import MicroworldConfig, SourceConfig
from atinuke_bench.errors import ConfigError
from atinuke_bench.microworld import NOTICE, RECIPES, examples, load_microworld, story_texts
from atinuke_bench.microworld import lexicon as lex
from atinuke_bench.registry import load_task

#: sha256 of the first 60 train examples of each task. They change only together with WORLD_VERSION.
GOLDEN = {
    "squad-v1.1": "f8052d946e4f4815",
    "squad-v2.0": "39cf3946316a59e4",
    "snli": "58e1403628a825de",
    "glue/cola": "917f05392d1be291",
    "glue/sst2": "f5c712951aec5f5a",
    "glue/mrpc": "73706360f3594d41",
    "glue/qqp": "c5736d80802394e3",
    "glue/stsb": "18d10b70c7ac8c62",
    "glue/mnli": "12a5720227b609a2",
    "glue/ax": "12a5720227b609a2",
    "glue/qnli": "8a8b57160d4e5c2a",
    "glue/rte": "8f563f84b1b10c85",
    "glue/wnli": "68710e53fcd65ddc",
    "long-range": "7ac2decd8d1def4a",
    "coref": "b331fc696c6f99c6",
    "srl": "f8e3618af37054af",
}


def fingerprint(task: str, split: str = "train", num: int = 60, **settings: object) -> str:
    digest = hashlib.sha256()
    for row in islice(examples(task, split, MicroworldConfig(**settings)), num):
        digest.update(json.dumps(row, sort_keys=True).encode())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("task", RECIPES)
def test_examples_are_what_they_always_were(task):
    assert fingerprint(task, "train") == GOLDEN[task]


def test_examples_do_not_depend_on_the_hash_seed():
    code = """
import hashlib, json
from itertools import islice
from atinuke_bench.microworld import RECIPES, examples
for task in RECIPES:
    rows = (json.dumps(row, sort_keys=True).encode() for row in islice(examples(task, "train"), 60))
    print(task, hashlib.sha256(b"".join(rows)).hexdigest()[:16])
"""
    environment = {"PYTHONHASHSEED": "7"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert dict(line.split() for line in found.stdout.splitlines()) == GOLDEN


@pytest.mark.parametrize("task", RECIPES)
def test_an_example_depends_on_its_number_alone(task):
    rows = list(islice(examples(task, "train"), 30))
    assert list(islice(examples(task, "train", MicroworldConfig(train=40)), 30)) == rows
    assert fingerprint(task, world=1) != fingerprint(task)


@pytest.mark.parametrize("task", RECIPES)
def test_the_harness_reads_it_as_it_reads_files(task):
    config = MicroworldConfig(train=60, dev=20, test=20)
    declared = load_task(task)
    loaded = declared.data.load(SourceConfig(kind="microworld", microworld=config), declared.options_class())
    assert set(loaded.splits) == set(RECIPES[task].sizes)
    assert loaded.notes == (NOTICE,)
    for split, rows in loaded.splits.items():
        assert rows.features == declared.features
        assert len(rows) == (60 if split == "train" else 20)
        assert len(set(rows["id"][:])) == len(rows)
        assert declared.is_labelled(rows)


@pytest.mark.parametrize(
    "task", [task for task in RECIPES if task.startswith(("glue", "snli")) and task != "glue/wnli"]
)
def test_splits_share_no_example(task):
    splits = [
        {(row["sentence1"], row.get("sentence2")) for row in islice(examples(task, split), 900)}
        for split in list(RECIPES[task].sizes)[:2]
    ]
    # Reviews are of few words, so that some are written twice; no story is behind them.
    assert len(splits[0] & splits[1]) <= (120 if task == "glue/sst2" else 0)


def test_splits_share_no_story():
    stories = [{text for _, text in islice(story_texts(split), 300)} for split in ("train", "dev", "test")]
    assert all(len(texts) == 300 for texts in stories)
    assert len(set.union(*stories)) == 900


@pytest.mark.parametrize("task", [task for task in RECIPES if task.startswith(("glue", "snli"))])
def test_labels_are_balanced(task):
    counts = Counter(row["label"] for row in islice(examples(task, "train"), 600))
    assert len(set(counts.values())) == 1


def test_the_vocabulary_has_at_least_600_forms():
    words = {word for _, text in islice(story_texts("train"), 1200) for word in re.findall(r"[\w'-]+", text.lower())}
    assert len(words) >= 600


#: What a word is reduced to in a sentence's pattern: its class, or itself.
_CLASSES = {
    **{name.lower(): "NAME" for name in (*lex.WOMEN, *lex.MEN)},
    **{form: "NOUN" for topic in lex.TOPICS for noun in (*topic.places, *topic.things, *topic.jobs)
       for form in (noun.form, noun.synonym)},
    **dict.fromkeys(lex.ADJECTIVES, "ADJECTIVE"),
    **dict.fromkeys((*lex.MANNERS, *lex.MANNERS.values()), "MANNER"),
    **{day.lower(): "TIME" for day in (*lex.DAYS, *lex.MONTHS, *lex.HOURS)},
    **{form: "VERB" for verb in lex.BY_BASE.values() for form in (verb.past, verb.participle, verb.base)},
    **dict.fromkeys(lex.STATES, "STATE"),
    **{word: "KIN" for pair in lex.KINSHIP for word in pair},
}  # fmt: skip


@pytest.mark.parametrize("task", ["coref", "srl", "squad-v2.0", "snli", "glue/mrpc", "glue/cola"])
def test_no_sentence_pattern_makes_up_more_than_a_twentieth(task):
    patterns: Counter[str] = Counter()
    for row in islice(examples(task, "train"), 300 if task == "coref" else 1500):
        text = row.get("context") or row.get("sentence1") or " ".join(row["words"])
        for sentence in re.split(r"(?<=[.?]) ", text):
            words = re.findall(r"[\w'-]+|[^\w\s]", sentence.lower())
            patterns[" ".join(_CLASSES.get(word, word) for word in words)] += 1
    pattern, count = patterns.most_common(1)[0]
    assert count < 0.05 * patterns.total(), pattern


def test_mismatched_data_is_about_other_things():
    def nouns(split: str) -> set[str]:
        texts = " ".join(row["sentence1"] for row in islice(examples("glue/mnli", split), 400)).lower()
        things = {noun.form for topic in lex.TOPICS for noun in (*topic.things, *topic.places)}
        return things & set(re.findall(r"[\w'-]+", texts))

    assert len(nouns("train")) > 80
    assert not nouns("train") & nouns("dev_mismatched")
    assert not nouns("dev_matched") & nouns("dev_mismatched")


def test_difficulty_changes_the_stories():
    def length(**settings: int) -> float:
        rows = list(islice(examples("coref", "train", MicroworldConfig(**settings)), 60))
        return sum(len(row["words"]) for row in rows) / len(rows)

    assert length(distance=12) > 1.6 * length()
    assert length(distractors=4) > 1.1 * length()
    assert length(distractors=0) < length()
    nested = [len(row["roles"]) for row in islice(examples("srl", "train", MicroworldConfig(depth=3)), 300)]
    assert nested != [len(row["roles"]) for row in islice(examples("srl", "train"), 300)]
    assert fingerprint("snli", overlap=1.0) != fingerprint("snli")


def test_a_task_without_a_world_is_refused():
    with pytest.raises(ConfigError, match=r"task 'mine' has no source 'microworld'; it has squad-v1.1"):
        load_microworld("mine", load_task("snli").features, SourceConfig(kind="microworld"))
