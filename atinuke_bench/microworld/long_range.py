"""Questions whose only word that matters comes a known number of words before the passage with the answer.

Two kinds of question need different things kept over the distance:

- `role`: the last sentence tells who did something to what, where and when, in varying order, and "When was it?" asks
  for one of them. One of four question words must be kept.
- `thing`: the last sentences tell where each of some things was, and "Where was the lamp?" asks for one of them. One of
  about seventy nouns must be kept, and met again.

The sentences between question and passage name no person, thing, place or time. All candidates for an answer are in the
passage, equally many at every distance.
"""

from __future__ import annotations

from typing import Any

from . import lexicon as lex
from .draws import Draws
from .fillers import say_filler
from .grammar import PlainSpeaker, Span, Style, Text, clause, join, word_offsets
from .pairs import make_event
from .world import make_cast

#: Words between the question and the sentence with the answer, unless the settings name others.
DISTANCES = (8, 16, 32, 64, 128, 256, 512)
_QUESTIONS = {"agent": "Who was it?", "theme": "What was it?", "place": "Where was it?", "time": "When was it?"}
_ROLES = {"agent": "A0", "theme": "A1", "place": "AM-LOC", "time": "AM-TMP"}
#: Every number of words from this one to the longest filling is the length of some fillings, the full stop counted.
_SHORTEST = 5

KINDS = (*_QUESTIONS, *["thing"] * len(_QUESTIONS))
#: Sentences of the passage where a thing is asked for.
_NUM_FACTS = 4
_THINGS = tuple(thing for topic in lex.MATCHED_TOPICS for thing in topic.things)
_PLACES = tuple(place for topic in lex.MATCHED_TOPICS for place in topic.places)


def long_range_row(draws: Draws, identifier: str, distance: int, kind: str) -> dict[str, Any]:
    """One question; `kind` is the role it asks for, or `thing`."""
    text = Text()
    _fill(text, distance, draws)
    if kind == "thing":
        question, (first, last) = _tell_places(text, draws)
    else:
        question, (first, last) = _QUESTIONS[kind], _tell_event(text, draws, kind)
    context, offsets = join(text.words), word_offsets(text.words)
    start, end = offsets[first], offsets[last] + len(text.words[last])
    return {
        "id": identifier,
        "title": identifier,
        "context": context,
        "question": question,
        "answers": {"text": [context[start:end]], "answer_start": [start]},
        "distance": distance,
        "kept": "thing" if kind == "thing" else "role",
    }


def _tell_event(text: Text, draws: Draws, role: str) -> Span:
    """Say one sentence of four roles; the span of one of them."""
    event = make_event(draws, make_cast(draws, lex.MATCHED_TOPICS), lex.TREAT)
    style = Style(
        passive=draws.chance(0.5), time=draws.choice(("front", "end")), place="end", time_first=draws.chance(0.5)
    )
    predicate = clause(text, event, PlainSpeaker(), style)
    text.end_sentence()
    first, last = next(span[:2] for span in predicate.arguments if span[2] == _ROLES[role])
    # The answer does not include a preposition.
    return first + (role == "place" or (role == "agent" and text.words[first] == "by")), last


def _tell_places(text: Text, draws: Draws) -> tuple[str, Span]:
    """Say where each of some things was; a question for one of them, and the span of its place."""
    things, places = draws.sample(_THINGS, _NUM_FACTS), draws.sample(_PLACES, _NUM_FACTS)
    asked, answer = draws.below(_NUM_FACTS), (0, 0)
    for number, (thing, place) in enumerate(zip(things, places, strict=True)):
        span = text.add("the", thing.form, "was", place.preposition, "the", place.form)
        text.end_sentence()
        if number == asked:
            answer = (span[1] - 1, span[1])
    return f"Where was the {things[asked].form}?", answer


def _fill(text: Text, num_words: int, draws: Draws) -> None:
    """Exactly `num_words` words of whole sentences that name nothing of the last one."""
    while (left := num_words - len(text.words)) > 0:
        filler = Text()
        while not filler.words or not _fits(len(filler.words) + 1, left):
            filler = Text()
            say_filler(draws, filler, None)
        text.words.extend(filler.words)
        text.end_sentence()


def _fits(length: int, left: int) -> bool:
    """Whether a sentence can be the last of what is left, or leaves enough for another one."""
    return length == left or left - length >= _SHORTEST
