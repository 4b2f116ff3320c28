"""Short documents of people and their houses, and runs on them."""

from __future__ import annotations

import random

import pytest
import torch

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.data.conll.read import Document, Sentence
from atinuke_bench.data.conll.spans import Mention
from atinuke_bench.data.conll.write import write_documents
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

PEOPLE = {"Ada": "her", "Ben": "his", "Cleo": "her", "Dan": "his"}
SIZES = {"train": 10, "dev": 3, "test": 3}


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def _document(name, number, num_sentences, draw, *, singletons=True):
    """People and their houses: `Then Ada painted her house .`, every house another."""
    sentences, mentions, position = [], [], 0
    cluster_of: dict[str, int] = {}
    for place in range(num_sentences):
        who = draw.choice(list(PEOPLE))
        words = ["Then", who, draw.choice(["painted", "sold"]), PEOPLE[who], "house", "."]
        person = cluster_of.setdefault(who, len(cluster_of))
        spans = [(1, 1, person), (3, 3, person)]
        if singletons:
            spans.append((3, 4, 100 + place))
        mentions += [Mention(position + start, position + end, cluster) for start, end, cluster in spans]
        sentences.append(Sentence(tuple(words), speakers=(f"speaker{place % 2}",) * len(words)))
        position += len(words)
    if not singletons:
        counts = {cluster: sum(m.cluster == cluster for m in mentions) for cluster in cluster_of.values()}
        mentions = [mention for mention in mentions if counts[mention.cluster] > 1]
    return Document(name, number, tuple(sentences), tuple(mentions))


def _write(folder, *, singletons=True, num_sentences=8):
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(3)
    for split, size in SIZES.items():
        documents = [
            _document(f"bc/{split}{number // 2}", number % 2, num_sentences, draw, singletons=singletons)
            for number in range(size)
        ]
        write_documents(folder / f"{split}.v4_gold_conll", documents)
    return folder


def _run(folder, core="atinuke", *, seed=0, **overrides):
    small = {
        "training.max_epochs": 1,
        "training.batch_tokens": 128,
        "training.max_length": 24,
        "options.overlap": 8,
        "options.size": 16,
        "options.candidates_per_word": 0.6,  # half of these words open a mention, a tenth of usual text
        "tokenizer.vocab_size": 120,
    }
    changes = {name.replace("__", "."): value for name, value in overrides.items()}
    return make_run_config(
        "coref",
        core,
        preset="nano",
        source=SourceConfig(data_dir=folder),
        seed=seed,
        overrides={**small, **changes},
    )


def _carry_out(run, place):
    folder = RunFolder(place)
    return folder, train_and_evaluate(prepare(run), folder, Execution(show_progress=False))


@pytest.fixture(scope="session")
def make_document():
    """`make_document(name, number, num_sentences, draw)`: one document."""
    return _document


@pytest.fixture(scope="session")
def write_corpus():
    """`write_corpus(folder)`: the files of all splits in a folder, which it gives back."""
    return _write


@pytest.fixture(scope="session")
def coref_run():
    """`coref_run(folder, core, **overrides)`: a run of seconds."""
    return _run


@pytest.fixture(scope="session")
def carry_out():
    """`carry_out(run, place)`: the folder and the result of a run."""
    return _carry_out


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("coref") / "coref")
