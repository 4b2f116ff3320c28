"""Seconds and memory of `encode`, for every family and for examples 1 to 64 times as long: do they grow in proportion?

    python benchmarks/encode_length.py [--task squad-v1.1] [--words 500] [--longest 64] [--unbroken]

Text is generated. The number of examples stays the same, and so does what is asked of each (questions, predicates);
what grows is the text that they are asked of: SQuAD's context, both texts of a pair, a document, a sentence. Each size
is encoded and written as the cache writes it, in a process that is forked for it, so that its peak can be told from
what was there before. The exponent is the slope of the logarithms over the larger half of the sizes, where the costs of
starting weigh least: 1 is linear, 2 is quadratic. `--unbroken` leaves out the spaces of texts.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1", OMP_NUM_THREADS="1")

import numpy as np
from datasets import Dataset
from tokenizers import Tokenizer

from atinuke_bench.config import RunConfig, TokenizerConfig, make_run_config
from atinuke_bench.data.features import save_encoded
from atinuke_bench.data.tokenizer import train_tokenizer
from atinuke_bench.registry import load_task

NUM_EXAMPLES = 8
_WORDS_IN_SENTENCE = 20
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in what getrusage counts


class Text:
    """Words drawn from a lexicon of 9,000."""

    def __init__(self, *, unbroken: bool) -> None:
        self.draw = np.random.default_rng(0)
        self.space = "" if unbroken else " "
        syllables = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
        self.lexicon = ["".join(self.draw.choice(syllables, size=self.draw.integers(1, 5))) for _ in range(9000)]

    def words(self, num: int) -> list[str]:
        return self.draw.choice(self.lexicon, size=num).tolist()

    def text(self, num: int) -> str:
        return self.space.join(self.words(num))


Columns = dict[str, list[Any]]


def questions(text: Text, num_words: int) -> Columns:
    contexts = [text.text(num_words) for _ in range(NUM_EXAMPLES)]
    answers = [{"text": [context[-9:]], "answer_start": [len(context) - 9]} for context in contexts]
    ids = [str(number) for number in range(NUM_EXAMPLES)]
    return {
        "id": ids,
        "title": ids,
        "context": contexts,
        "question": [text.text(10) for _ in ids],
        "answers": answers,
    }


def sentences(text: Text, num_words: int) -> Columns:
    columns = {name: [text.text(num_words) for _ in range(NUM_EXAMPLES)] for name in ("sentence1", "sentence2")}
    return {"id": [str(number) for number in range(NUM_EXAMPLES)], **columns, "label": [0] * NUM_EXAMPLES}


def coref_documents(text: Text, num_words: int) -> Columns:
    """A speaker a sentence, a mention every ten words, four mentions an entity."""
    mentions = [[start, start + 1] for start in range(0, num_words - 1, 10)]
    clusters = [mentions[first :: -(-len(mentions) // 4)] for first in range(-(-len(mentions) // 4))]
    lengths = [min(_WORDS_IN_SENTENCE, num_words - first) for first in range(0, num_words, _WORDS_IN_SENTENCE)]
    shared: dict[str, Any] = {
        "name": "document",
        "part": -1,
        "header": "",
        "sentence_lengths": lengths,
        "speakers": [f"speaker{sentence}" for sentence, length in enumerate(lengths) for _ in range(length)],
        "pos": [],
        "clusters": clusters,
    }
    return {
        "id": [str(number) for number in range(NUM_EXAMPLES)],
        "words": [text.words(num_words) for _ in range(NUM_EXAMPLES)],
        **{name: [value] * NUM_EXAMPLES for name, value in shared.items()},
    }


def predicates(text: Text, num_words: int) -> Columns:
    """One sentence of all predicates, each with an argument on both sides."""
    words = text.words(num_words)
    places = [(2 * number + 1) * num_words // (2 * NUM_EXAMPLES) for number in range(NUM_EXAMPLES)]
    return {
        "id": [f"sentence-{place}" for place in places],
        "sentence": ["sentence"] * NUM_EXAMPLES,
        "words": [words] * NUM_EXAMPLES,
        "lemma": [words[place] for place in places],
        "predicate": places,
        "starts": [[place - 2, place, place + 1] for place in places],
        "ends": [[place - 1, place, place + 3] for place in places],
        "roles": [["A0", "V", "A1"]] * NUM_EXAMPLES,
    }


def running_text(text: Text, num_words: int) -> Columns:
    ids = [str(number) for number in range(NUM_EXAMPLES)]
    return {"id": ids, "text": [text.text(num_words) for _ in ids]}


@dataclass(frozen=True)
class Case:
    """A task with options, and the examples it reads."""

    task: str
    columns: Callable[[Text, int], Columns]
    overrides: tuple[tuple[str, Any], ...] = ()

    @property
    def label(self) -> str:
        return " ".join([self.task, *(str(value) for name, value in self.overrides if name != "options.roles")])

    def run(self) -> RunConfig:
        return make_run_config(self.task, "bilstm", overrides=dict(self.overrides))

    def examples(self, text: Text, num_words: int) -> Dataset:
        features = load_task(self.task).features
        columns = self.columns(text, num_words)
        return Dataset.from_dict({name: columns[name] for name in features}, features=features)


_ROLES = ("options.roles", ("A0", "A1", "V"))
CASES = (
    Case("squad-v1.1", questions),
    Case("glue/sst2", sentences),
    Case("glue/mrpc", sentences),
    Case("snli", sentences),
    Case("coref", coref_documents),
    Case("srl", predicates, (_ROLES, ("options.predicate_feature", "late"))),
    Case("srl", predicates, (_ROLES, ("options.predicate_feature", "indicator"))),
    Case("lm", running_text),
)


def encode(case: Case, examples: Dataset, tokenizer: Tokenizer, answer: Connection) -> None:
    """Send seconds, and bytes by which the peak grew; the process must have been forked for this alone."""
    run, task = case.run(), load_task(case.task)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        save_encoded(Path(folder) / "features", task.data.rows(examples, tokenizer, run))
        seconds = time.process_time() - started
    answer.send((seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * _RSS_UNIT))


def measured(case: Case, examples: Dataset, tokenizer: Tokenizer) -> tuple[float, float]:
    forking = get_context("fork")
    ours, theirs = forking.Pipe()
    process = forking.Process(target=encode, args=(case, examples, tokenizer, theirs))
    process.start()
    theirs.close()
    found: tuple[float, float] = ours.recv()
    process.join()
    return found


def exponent(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """The slope of log cost over log size, of the larger half; what is too small to be seen counts as least.

    >>> round(exponent([1, 2, 4, 8], [5.0, 1.0, 4.0, 16.0]), 3)
    2.0
    """
    half = slice(len(sizes) // 2, None)
    return float(np.polyfit(np.log(sizes[half]), np.log(np.maximum(costs[half], 1e-6)), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=sorted({case.task for case in CASES}), help="this task alone")
    parser.add_argument("--words", type=int, default=500, help="words of a text of length 1")
    parser.add_argument("--longest", type=int, default=64)
    parser.add_argument("--unbroken", action="store_true", help="texts without spaces")
    arguments = parser.parse_args()
    text = Text(unbroken=arguments.unbroken)
    tokenizer = train_tokenizer([text.text(200_000)], TokenizerConfig(vocab_size=4000))
    sizes = [2**power for power in range(arguments.longest.bit_length())]
    for case in CASES:
        if arguments.task in (None, case.task):
            found = [measured(case, case.examples(text, size * arguments.words), tokenizer) for size in sizes]
            print(case.label)
            for name, unit, costs in zip(("seconds", "MB"), (1, 1e6), zip(*found, strict=True), strict=True):
                line = " ".join(f"{cost / unit:9.3f}" for cost in costs)
                print(f"  {name:8}{line}    exponent {exponent(sizes, costs):.2f}")


if __name__ == "__main__":
    main()
