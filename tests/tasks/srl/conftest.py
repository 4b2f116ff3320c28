"""Small files of semantic roles in both formats, and runs of seconds on them."""

from __future__ import annotations

import gzip
import random

import pytest
import torch

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.data.conll.read import Document, Predicate, Sentence
from atinuke_bench.data.conll.spans import Argument
from atinuke_bench.data.conll.write import write_documents
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.tasks.srl.props import rename_roles, write_props
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

SIZES = {"train": 60, "dev": 12, "test": 12}


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def conll2012(tmp_path_factory):
    """A folder of CoNLL-2012 files; the train split is gzipped and in two files."""
    folder = tmp_path_factory.mktemp("conll2012")
    for split, size in SIZES.items():
        sentences = _sentences(size, seed=len(split) + size)
        if split == "train":
            _write_conll(folder / "train.a.v4_gold_conll", "nw/a", sentences[: size // 2])
            _write_conll(folder / "train.b.v4_gold_conll", "nw/b", sentences[size // 2 :])
            plain = folder / "train.a.v4_gold_conll"
            (folder / "train.a.v4_gold_conll.gz").write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
        else:
            _write_conll(folder / f"{split}.v4_gold_conll", f"nw/{split}", sentences)
    return folder


@pytest.fixture(scope="session")
def conll2005(tmp_path_factory):
    """The same sentences as `.words` and `.props`."""
    folder = tmp_path_factory.mktemp("conll2005")
    for split, size in SIZES.items():
        sentences = [rename_roles(one) for one in _sentences(size, seed=len(split) + size)]
        write_props(folder / f"{split}.props", sentences)
        words = "".join("\n".join(one.words) + "\n\n" for one in sentences)
        (folder / f"{split}.words").write_text(words)
    return folder


def _sentences(count, seed):
    """Who sees whom, sometimes seen by another; a nominal predicate; sentences without any."""
    draw = random.Random(seed)
    names, verbs = ("Ada", "Ben", "Cleo", "Dan"), ("sees", "helps", "calls")
    pos = ("NNP", "RB", "VBZ", "DT", "JJ", ",", "JJ", "NN", "IN", "NNP", "NN", ".")
    sentences = []
    for number in range(count):
        who, whom, verb = draw.choice(names), draw.choice(names), draw.choice(verbs)
        if number % 6 == 5:
            sentences.append(Sentence(("Hello", whom, "!"), pos=("UH", "NNP", ".")))
            continue
        words = (who, "never", verb, "the", "kind", ",", "old", "help", "of", whom, "today", ".")
        arguments = ((0, 0, "ARG0"), (1, 1, "ARGM-NEG"), (2, 2, "V"), (3, 9, "ARG1"), (10, 10, "ARGM-TMP"))
        nominal = ((7, 7, "V"), (8, 9, "ARG0"))
        predicates = tuple(
            Predicate(index, words[index], "01", tuple(Argument(*span) for span in spans))
            for index, spans in ((2, arguments), (7, nominal))
        )
        sentences.append(Sentence(words, predicates, pos))
    return sentences


def _write_conll(path, name, sentences):
    write_documents(path, [Document(name, 0, tuple(sentences))])


@pytest.fixture
def make_srl_run():
    """`make_srl_run(folder, core, **overrides)`: a run on these files; `__` stands for the dot of a path."""
    return _run


def _run(folder, core="bilstm", **overrides):
    small = {"training.max_epochs": 4, "training.batch_tokens": 256, "training.learning_rate": 0.02}
    changes = {name.replace("__", "."): value for name, value in overrides.items()}
    return make_run_config(
        "srl",
        core,
        preset="nano",
        source=SourceConfig(data_dir=folder),
        overrides={**small, "tokenizer.vocab_size": 120, **changes},
    )


@pytest.fixture
def carry_out():
    """`carry_out(run, place, **asked)`: the run's folder and result; `asked` is of `prepare`."""

    def call(run, place, **asked):
        folder = RunFolder(place)
        return folder, train_and_evaluate(prepare(run, **asked), folder, Execution(show_progress=False))

    return call
