"""Every task's examples from the world, as the canonical data sets that official files would give.

An example is a pure function of the world's number, the split and its own number: train, dev and test draw from
separate streams and share no story.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from atinuke_bench.config import MicroworldConfig

from . import lexicon as lex
from .acceptability import judged_sentence
from .coref import coref_row
from .draws import Draws, balanced
from .long_range import DISTANCES, KINDS, long_range_row
from .pairs import PairMaker, answer_pair, entailment_pair, graded_pair, paraphrase_pair, question_pair
from .questions import squad_rows
from .sentiment import review
from .srl import rich_text, srl_rows
from .story import Story, tell
from .winograd import winograd_pair

#: Raised when the same settings give other examples than before.
WORLD_VERSION = 2
QUESTIONS_A_STORY = 5
Row = dict[str, Any]
#: The examples of a split, one after another without end.
Stream = Callable[[str, MicroworldConfig], Iterator[Row]]


@dataclass(frozen=True)
class Recipe:
    """How a task's examples are made, and how many there are unless the config says otherwise."""

    stream: Stream
    sizes: Mapping[str, int]


def examples(task: str, split: str, config: MicroworldConfig | None = None) -> Iterator[Row]:
    """The examples of a task's split in its canonical schema, made one at a time in constant memory.

    >>> next(examples("snli", "train"))["id"]
    'train-0'
    """
    config = config or MicroworldConfig()
    recipe = RECIPES[task]
    part = split.partition("_")[0]
    size = getattr(config, part if part in ("train", "dev", "test") else "test") or recipe.sizes[split]
    return islice(recipe.stream(split, config), size)


def story_texts(split: str, config: MicroworldConfig | None = None) -> Iterator[tuple[str, str]]:
    """The id and text of every story of a split, without end where the config gives the split no size.

    >>> identifier, text = next(story_texts("train"))
    >>> identifier, text.endswith(".")
    ('train-0', True)
    """
    config = config or MicroworldConfig()
    size = getattr(config, split, None)
    for index in count() if size is None else range(size):
        yield f"{split}-{index}", str(_story(split, index, config).text)


def _topics(split: str) -> tuple[lex.Topic, ...]:
    return lex.MISMATCHED_TOPICS if split.endswith("mismatched") else lex.MATCHED_TOPICS


def _story(split: str, index: int, config: MicroworldConfig) -> Story:
    return tell(Draws("story", config.world, split, index), config, _topics(split), config.distance)


def _coref(split: str, config: MicroworldConfig) -> Iterator[Row]:
    for index in count():
        yield coref_row(_story(split, index, config), f"{split}-{index}")


def _srl(split: str, config: MicroworldConfig) -> Iterator[Row]:
    """Stories, and sentences of richer structure, in turn."""
    for index in count():
        if index % 4 == 0:
            yield from srl_rows(_story(split, index, config).text, f"{split}-story-{index}")
        text = rich_text(Draws("srl", config.world, split, index), config, _topics(split))
        yield from srl_rows(text, f"{split}-{index}")


def _squad(split: str, config: MicroworldConfig, *, unanswerable: bool) -> Iterator[Row]:
    for index in count():
        draws = Draws("questions", config.world, split, index)
        # As many with as without an answer; a question's place in the file does not reveal which it is.
        hidden = draws.shuffled([unanswerable and place % 2 == index % 2 for place in range(QUESTIONS_A_STORY)])
        yield from squad_rows(_story(split, index, config), draws, f"{split}-{index}", hidden, QUESTIONS_A_STORY)


def _long_range(split: str, config: MicroworldConfig) -> Iterator[Row]:
    """Each block has every distance with every kind once, so that only the distance makes some harder than others."""
    of_train = config.train_distances if split == "train" else None
    distances = of_train or config.distances or DISTANCES
    for index in count():
        block, place = divmod(index, len(distances) * len(KINDS))
        shuffled = Draws("distances", config.world, split, block).shuffled(range(len(distances) * len(KINDS)))
        distance, kind = divmod(shuffled[place], len(KINDS))
        draws = Draws("long-range", config.world, split, index)
        yield long_range_row(draws, f"{split}-{index}", distances[distance], KINDS[kind])


def _pairs(name: str, maker: PairMaker, num_labels: int, of_label: Callable[[int], Any] = int) -> Stream:
    def stream(split: str, config: MicroworldConfig) -> Iterator[Row]:
        topics = _topics(split)
        for index in count():
            label = balanced(num_labels, index, name, config.world, split)
            first, second = maker(label, Draws(name, config.world, split, index), config, topics)
            yield {"id": f"{split}-{index}", "sentence1": first, "sentence2": second, "label": of_label(label)}

    return stream


def _singles(name: str, maker: Callable[[int, Draws, tuple[lex.Topic, ...]], str]) -> Stream:
    def stream(split: str, config: MicroworldConfig) -> Iterator[Row]:
        topics = _topics(split)
        for index in count():
            label = balanced(2, index, name, config.world, split)
            sentence = maker(label, Draws(name, config.world, split, index), topics)
            yield {"id": f"{split}-{index}", "sentence1": sentence, "label": label}

    return stream


def _inference(label: int, draws: Draws, config: MicroworldConfig, topics: tuple[lex.Topic, ...]) -> tuple[str, str]:
    """Two or three sentences, and whether one more follows from them (0) or not (1)."""
    full = 0 if label == 0 else 1 + draws.below(2)
    return entailment_pair(full, draws, config, topics, num_sentences=2 + draws.below(2))


def _two_splits(train: int, dev: int) -> dict[str, int]:
    return {"train": train, "dev": dev}


_SENTENCES = {"train": 6000, "dev": 1000, "test": 1000}
_MNLI = {"train": 6000, "dev_matched": 1000, "dev_mismatched": 1000, "test_matched": 1000, "test_mismatched": 1000}
_AX = {"train": 6000, "dev_matched": 1000, "test": 1000}


def _mnli(split: str, config: MicroworldConfig) -> Iterator[Row]:
    return _pairs("mnli", entailment_pair, 3)(split, config)


#: Every task that has a microworld, by name.
RECIPES: dict[str, Recipe] = {
    "squad-v1.1": Recipe(lambda split, config: _squad(split, config, unanswerable=False), _two_splits(6000, 1000)),
    "squad-v2.0": Recipe(lambda split, config: _squad(split, config, unanswerable=True), _two_splits(6000, 1000)),
    "snli": Recipe(_pairs("snli", entailment_pair, 3), _SENTENCES),
    "glue/cola": Recipe(_singles("cola", judged_sentence), _SENTENCES),
    "glue/sst2": Recipe(_singles("sst2", lambda label, draws, topics: review(label, draws)), _SENTENCES),
    "glue/mrpc": Recipe(_pairs("mrpc", paraphrase_pair, 2), _SENTENCES),
    "glue/qqp": Recipe(_pairs("qqp", question_pair, 2), _SENTENCES),
    "glue/stsb": Recipe(_pairs("stsb", graded_pair, 6, float), _SENTENCES),
    "glue/mnli": Recipe(_mnli, _MNLI),
    "glue/ax": Recipe(_mnli, _AX),
    "glue/qnli": Recipe(_pairs("qnli", answer_pair, 2), _SENTENCES),
    "glue/rte": Recipe(_pairs("rte", _inference, 2), _SENTENCES),
    "glue/wnli": Recipe(
        _pairs("wnli", lambda label, draws, config, topics: winograd_pair(label, draws, topics), 2), _SENTENCES
    ),
    "long-range": Recipe(_long_range, _two_splits(2240, 1120)),
    "coref": Recipe(_coref, {"train": 400, "dev": 80, "test": 80}),
    "srl": Recipe(_srl, {"train": 6000, "dev": 1500, "test": 1500}),
}
