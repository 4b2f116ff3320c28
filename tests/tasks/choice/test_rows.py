"""The rows of multiple choice hold each choice beside its text, exactly as pairs of texts are encoded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from tokenizers import Tokenizer
from torch.nn import functional as F  # noqa: N812

from atinuke_bench.config import TokenizerConfig
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.data.tokenizer import encode_texts, train_tokenizer
from atinuke_bench.tasks.choice.data import FEATURES, ChoiceData
from atinuke_bench.tasks.choice.floor import most_frequent_number
from atinuke_bench.tasks.choice.model import ChoiceModule, Inputs

ROWS = [
    ("Ada sees Ben and Ben sees Cleo .", "", ["Ben", "Cleo likes Dan", "Ada"], ["Ben"]),
    ("Ada sees Ben .", "Who runs ?", ["Ben", "never Ada and never Ben and never Cleo and never Dan"], ["Ben"]),
    ("", "Who is Ada ?", ["A man", "Dan"], ["Dan"]),
    ("Ada calls Ben .", "@placeholder helps Ada .", ["Ben", "Ada", "Dan", "Ben"], ["Ben", "Dan"]),
]
PAIRS = [
    ("Ada sees Ben and Ben sees Cleo .", ["Ben", "Cleo likes Dan", "Ada"]),
    ("Ada sees Ben .", [f"Who runs ? {choice}" for choice in ROWS[1][2]]),
    ("Who is Ada ?", ["A man", "Dan"]),
    ("Ada calls Ben .", [f"{name} helps Ada ." for name in ROWS[3][2]]),
]


def examples_of(rows):
    columns = zip(*rows, strict=True)
    names = ("context", "question", "choices", "answers")
    ids = [str(number) for number in range(len(rows))]
    return Dataset.from_dict({"id": ids, **dict(zip(names, columns, strict=True)), "unit": ids}, features=FEATURES)


@pytest.fixture
def tokenizer_of(model_folder):
    def make(kind):
        if kind == "own":
            words = " ".join(text for row in ROWS for text in (*row[:2], *row[2]))
            return train_tokenizer([words], TokenizerConfig(vocab_size=200, min_frequency=1))
        return Tokenizer.from_file(str(model_folder(kind) / "tokenizer.json"))

    return make


@pytest.mark.parametrize("kind", ["own", "bert", "roberta"])
@pytest.mark.parametrize("max_length", [9, 14, 48])
def test_inputs_are_those_of_pairs(choice_file, make_own, tokenizer_of, kind, max_length):
    tokenizer = tokenizer_of(kind)
    run = make_own(choice_file, training__max_length=max_length)
    encoded = ChoiceData(run.declaration).rows(examples_of(ROWS), tokenizer, run)
    batch = BatchDataset(encoded)[np.array([2, 0, 3, 1])]
    module = ChoiceModule(build_core(run.core, tokenizer.get_vocab_size()), run, "max")
    unpacked = Inputs.of(batch, module.sizes(batch)).unpack(batch)
    first, second = zip(*((PAIRS[row][0], choice) for row in (2, 0, 3, 1) for choice in PAIRS[row][1]), strict=True)
    ids, segments = encode_texts(tokenizer, first, second, max_length)
    number = range(len(first))
    assert unpacked["attention_mask"].sum(dim=1).tolist() == ids.lengths.tolist()
    assert (unpacked["input_ids"] * unpacked["attention_mask"]).tolist() == ids.take(number).pad(number).tolist()
    assert unpacked["segment_ids"].tolist() == segments.pad(number).tolist()


def test_the_loss_is_of_the_softmax_over_an_examples_own_choices(choice_file, make_own, tokenizer_of):
    tokenizer, run = tokenizer_of("own"), make_own(choice_file)
    encoded = ChoiceData(run.declaration).rows(examples_of(ROWS), tokenizer, run)
    torch.manual_seed(0)
    module = ChoiceModule(build_core(run.core, tokenizer.get_vocab_size()), run, "max").eval()
    batch = BatchDataset(encoded)[np.arange(4)]
    scores = module.scores(batch)
    assert scores.isfinite().sum(dim=1).tolist() == [3, 2, 2, 4]
    single = [F.cross_entropy(scores[row], torch.tensor(place)) for row, place in ((0, 0), (1, 0), (2, 1))]
    several = -torch.softmax(scores[3], dim=0)[[0, 2, 3]].sum().log()  # both choices called Ben, and Dan
    assert module.loss(batch).item() == pytest.approx(torch.stack([*single, several]).mean().item(), abs=1e-6)
    assert module.num_units(batch).item() == 4
    alone = torch.cat([module.scores(BatchDataset(encoded)[np.array([row])]).flatten() for row in range(4)])
    torch.testing.assert_close(scores[scores.isfinite()], alone, atol=1e-5, rtol=1e-5)


def test_the_floor_is_the_number_that_is_right_most_often_and_exists(choice_file, make_own):
    two: list[Any] = [("a", "", ["x", "y"], ["y"])] * 2 + [("a", "", ["x", "y"], ["x"])]
    train = [("a", "", ["x", "y", "z"], ["z"])] * 3 + two
    asked: list[Any] = [("b", "", ["p", "q", "r"], []), ("b", "", ["p", "q"], [])]
    chosen = most_frequent_number(examples_of(train), examples_of(asked), make_own(choice_file))
    assert chosen == {"0": {"choice": 2, "text": "r"}, "1": {"choice": 1, "text": "q"}}
