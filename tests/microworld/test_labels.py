"""Labels agree with an independent reading of the words, where words alone can tell."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice, pairwise

import pytest

from atinuke_bench.config import MicroworldConfig
from atinuke_bench.microworld import examples
from atinuke_bench.microworld import lexicon as lex

_GENDER = {**dict.fromkeys(lex.WOMEN, "f"), **dict.fromkeys(lex.MEN, "m")}
_PRONOUNS = {"she": "f", "her": "f", "he": "m", "him": "m", "his": "m"}


@pytest.mark.parametrize("task", ["squad-v1.1", "squad-v2.0"])
def test_answers_stand_where_they_are_said_to_stand(task):
    num_without = 0
    for row in islice(examples(task, "train"), 400):
        answers = row["answers"]
        num_without += not answers["text"]
        for text, start in zip(answers["text"], answers["answer_start"], strict=True):
            assert row["context"][start : start + len(text)] == text
            assert text not in ("he", "she", "it", "him", "her", "He", "She", "It")
        assert row["question"].endswith("?")
    assert num_without == (200 if task == "squad-v2.0" else 0)


def test_questions_of_all_kinds_are_asked():
    first = Counter(row["question"].split()[0] for row in islice(examples("squad-v1.1", "train"), 800))
    assert {"Who", "Where", "When", "What", "How", "Whom", "To", "From", "By"} <= first.keys()


def test_a_cluster_has_one_name_and_one_gender():
    kinds: Counter[str] = Counter()
    for row in islice(examples("coref", "train"), 200):
        spans = [tuple(span) for cluster in row["clusters"] for span in cluster]
        assert len(set(spans)) == len(spans)
        assert sum(row["sentence_lengths"]) == len(row["words"])
        for cluster in row["clusters"]:
            texts = [" ".join(row["words"][first : last + 1]) for first, last in cluster]
            genders = {_GENDER[text] for text in texts if text in _GENDER}
            genders |= {_PRONOUNS[text.lower()] for text in texts if text.lower() in _PRONOUNS}
            assert len(genders) <= 1, texts
            assert len({text for text in texts if text in _GENDER}) <= 1, texts
            kinds.update(
                "pronoun" if text.lower() in _PRONOUNS else "name" if text in _GENDER else "other" for text in texts
            )
            kinds["singleton"] += len(texts) == 1
    assert min(kinds[kind] for kind in ("pronoun", "name", "other", "singleton")) > 150


def test_roles_of_a_predicate_do_not_overlap():
    roles: Counter[str] = Counter()
    for row in islice(examples("srl", "train"), 3000):
        spans = sorted(zip(row["starts"], row["ends"], row["roles"], strict=True))
        for (_, end, _), (start, _, _) in pairwise(spans):
            assert end < start, (row["words"], spans)
        assert spans[0][0] >= 0
        assert spans[-1][1] < len(row["words"])
        assert (row["predicate"], row["predicate"], "V") in spans
        roles.update(role for _, _, role in spans)
    expected = [
        "A0",
        "A1",
        "A2",
        "A4",
        "AM-LOC",
        "AM-TMP",
        "AM-MNR",
        "AM-NEG",
        "AM-MOD",
        "AM-CAU",
        "AM-DIR",
        "R-A0",
        "R-A1",
        "R-AM-LOC",
    ]
    assert all(roles[role] >= 5 for role in expected), roles


def test_negation_and_modals_are_words_of_their_kind():
    for row in islice(examples("srl", "train"), 1500):
        for start, end, role in zip(row["starts"], row["ends"], row["roles"], strict=True):
            text = " ".join(row["words"][start : end + 1]).lower()
            if role == "AM-NEG":
                assert text in ("not", "never")
            elif role == "AM-MOD":
                assert text in lex.MODALS
            elif role == "AM-TMP":
                assert text.split()[0] in ("on", "at", "in")


def test_similarity_counts_shared_facts():
    times = [time[1][0] for kind in lex.TIME_KINDS for time in kind]
    for row in islice(examples("glue/stsb", "train"), 400):
        one, two = (re.findall(r"[\w']+", row[name]) for name in ("sentence1", "sentence2"))
        shared = {name for name in one if name in _GENDER} & set(two)
        shared_times = {time for time in times if time in one} & {time for time in times if time in two}
        assert row["label"] >= bool(shared) + bool(shared_times) - 1e-9 or row["label"] >= 1
        if row["label"] == 5.0:
            assert shared
            assert shared_times
        if row["label"] == 0.0:
            assert not shared
            assert not shared_times


def test_paraphrases_differ_and_unlike_questions_differ_in_meaning():
    for task in ("glue/mrpc", "glue/qqp"):
        for row in islice(examples(task, "train"), 400):
            assert row["sentence1"] != row["sentence2"]


def test_a_hypothesis_tells_no_more_words_than_its_premise_when_it_follows():
    for row in islice(examples("snli", "train", MicroworldConfig(distractors=0)), 600):
        names = [set(re.findall(r"[A-Z]\w+", row[side])) & _GENDER.keys() for side in ("sentence1", "sentence2")]
        if row["label"] == 0:
            assert names[1] <= names[0]


def test_exactly_one_of_two_judgements_has_a_wrong_form():
    wrong = re.compile(r"\b(did|does|do) not \w+ed\b|\b(he|she|him|her) (were|are)\b")
    rows = list(islice(examples("glue/cola", "train"), 2000))
    assert not [row for row in rows if row["label"] == 1 and wrong.search(row["sentence1"].replace("need", "ask"))]
    assert len({row["sentence1"] for row in rows}) > 1950
