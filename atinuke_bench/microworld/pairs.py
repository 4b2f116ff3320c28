"""Pairs of sentences whose relation is known from their events: NLI, paraphrase, similarity, answer sentences.

The label is drawn first. The second sentence comes from the same distribution for every label; only whether it fits the
first one depends on the label. Both sentences state a fixed number of facts. So neither sentence alone, nor the counted
words of both, nor their lengths reveal the label.

Two sentences of a pair are about the same occasion, as in SNLI's instructions: what was sold on Monday was not sold on
Friday.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from atinuke_bench.config import MicroworldConfig

from . import lexicon as lex
from .draws import Draws
from .fillers import say_filler
from .grammar import PlainSpeaker, Style, Text, clause
from .questions import ask
from .world import THING, Cast, Event, make_cast

ADJUNCTS = ("time", "place", "manner")
ENTAILMENT, NEUTRAL, CONTRADICTION = 0, 1, 2
_TRANSFER = lex.GIVE + lex.GET
_MANNERS = tuple(lex.MANNERS)
_VERBS = _TRANSFER + lex.TREAT + lex.MEET
Pair = tuple[str, str]


def make_event(draws: Draws, cast: Cast, verbs: tuple[lex.Verb, ...] = _VERBS) -> Event:
    """An event with every role filled that it can have."""
    verb = draws.choice(verbs)
    agent, other, *_ = draws.sample(cast.people, 2)
    theme = other if verb.frame == "meet" else draws.choice(cast.things)
    return Event(
        verb,
        agent,
        theme,
        other if verb.frame in ("give", "get") else None,
        draws.choice(cast.places),
        draws.choice(draws.choice(lex.TIME_KINDS)),
        draws.choice(_MANNERS),
    )


def say(event: Event, draws: Draws, adjuncts: tuple[str, ...], rewrite: float, style: Style | None = None) -> Text:
    """One clause with the given adjuncts; with probability `rewrite` a word is replaced by a synonym."""
    words: dict[str, str] = {}
    if rewrite:
        event = reworded(event, draws, rewrite, words)
    text = Text()
    clause(text, event, PlainSpeaker(words), style or _style(event, draws, adjuncts))
    return text


def _style(event: Event, draws: Draws, adjuncts: tuple[str, ...]) -> Style:
    style = Style(
        passive=event.verb.passive and draws.chance(0.3),
        dative=draws.chance(0.5),
        time="" if "time" not in adjuncts else draws.choice(("front", "end")),
        place="" if "place" not in adjuncts else "end",
        manner="" if "manner" not in adjuncts else draws.choice(("pre", "end")),
        time_first=draws.chance(0.3),
    )
    if event.negated and style.manner:
        style.manner = "end"
    if style.place and not style.time and draws.chance(0.3):
        style.place = "front"
    return style


def reworded(event: Event, draws: Draws, probability: float, words: dict[str, str]) -> Event:
    """The same event in other words; noun and adjective replacements go into `words`."""
    verb = event.verb
    if verb.base in lex.CONVERSE and not event.negated and draws.chance(probability * 0.7):
        verb = lex.BY_BASE[lex.CONVERSE[verb.base]]
        event = event.with_(verb=verb, agent=event.other, other=event.agent)
    elif verb.synonym != verb.base and draws.chance(probability):
        event = event.with_(verb=lex.BY_BASE[verb.synonym])
    theme = event.theme
    if theme is not None and theme.gender == THING:
        if theme.noun.synonym != theme.noun.form and draws.chance(probability):
            words[theme.noun.form] = theme.noun.synonym
        if theme.adjective in lex.QUALITIES and draws.chance(probability):
            words[theme.adjective] = lex.QUALITIES[theme.adjective]
    if event.manner is not None and draws.chance(probability):
        event = event.with_(manner=lex.MANNERS[event.manner])
    if event.place is not None and event.place.noun.synonym != event.place.noun.form and draws.chance(probability):
        words[event.place.noun.form] = event.place.noun.synonym
    return event


def _finish(text: Text) -> str:
    text.end_sentence()
    return str(text)


def _other_value(event: Event, role: str, draws: Draws, cast: Cast) -> Any:
    """Something that excludes what the event has in this role."""
    if role == "time":
        kind = next(kind for kind in lex.TIME_KINDS if event.time in kind)
        return draws.other(kind, event.time)
    if role == "manner":
        assert event.manner is not None
        return lex.OPPOSITE[event.manner]
    if role == "place":
        return draws.other(cast.places, event.place)
    if role == "theme" and event.entity("theme").gender == THING:
        return draws.other(cast.things, event.theme)
    taken = (event.agent, event.theme, event.other)
    return draws.choice([person for person in cast.people if not any(person is one for one in taken)])


# --- entailment -------------------------------------------------------------------------------------------------------


def entailment_pair(label: int, draws: Draws, config: MicroworldConfig, topics: tuple[lex.Topic, ...],
                    num_sentences: int = 1) -> Pair:  # fmt: skip
    """A premise and a hypothesis: 0 entailment, 1 neutral, 2 contradiction.

    The premise states two of the event's three adjuncts, the hypothesis one or two. The pair is neutral where the
    hypothesis states the third, contradictory where it states another value (or swaps giver and recipient); negating
    the hypothesis swaps entailment and contradiction.
    """
    cast = make_cast(draws, topics)
    event = make_event(draws, cast)
    hidden, *told = draws.shuffled(ADJUNCTS)
    num = 1 + draws.below(2)
    claimed = tuple(told[:num]) if label != NEUTRAL else (hidden, *told[: num - 1])
    negated = draws.chance(config.negation)
    fits = label == NEUTRAL or (label == ENTAILMENT) != negated
    # What changes is drawn for every label, so that the draws after it are the same.
    claim = event
    changed = draws.choice(claimed) if event.other is None or draws.chance(0.8) else "swap"
    if not fits:
        claim = _changed(event, changed, draws, cast)
    premise = _premise(event, claim, hidden, tuple(told), draws, config, cast, num_sentences)
    hypothesis = say(claim.with_(negated=negated), draws, claimed, config.rewording)
    return premise, _finish(hypothesis)


def _changed(event: Event, role: str, draws: Draws, cast: Cast) -> Event:
    if role == "swap":
        return event.with_(agent=event.other, other=event.agent)
    return event.with_(**{role: _other_value(event, role, draws, cast)})


def _premise(event: Event, claim: Event, hidden: str, told: tuple[str, ...], draws: Draws, config: MicroworldConfig,
             cast: Cast, num_sentences: int) -> str:  # fmt: skip
    """The event, and beside it another one, which with probability `overlap` has what the hypothesis claims."""
    parts = [say(event, draws, told, 0.0)]
    if num_sentences > 1 or (config.distractors and draws.chance(0.4)):
        rest = Cast(cast.topic, [one for one in cast.people if one is not event.agent], cast.things, cast.places)
        beside = make_event(draws, rest)
        while beside.verb is event.verb or beside.verb.synonym == event.verb.base:
            beside = make_event(draws, rest)
        if draws.chance(config.overlap):
            beside = beside.with_(time=claim.time, place=claim.place, manner=claim.manner)
        parts.insert(draws.below(2), say(beside, draws, (hidden, draws.choice(told)), 0.0))
    if num_sentences == 1 and len(parts) == 2:
        joined = parts[0]
        joined.add(*draws.choice(((",", "and"), (",", "while"), (",", "but"), (";",))))
        joined.words.extend(parts[1].words)
        return _finish(joined)
    sentences = [_finish(part) for part in parts]
    for _ in range(num_sentences - len(sentences)):
        filler = Text()
        say_filler(draws, filler, cast)
        sentences.insert(draws.below(len(sentences) + 1), _finish(filler))
    return " ".join(sentences)


# --- paraphrase and similarity ----------------------------------------------------------------------------------------


def paraphrase_pair(label: int, draws: Draws, config: MicroworldConfig, topics: tuple[lex.Topic, ...]) -> Pair:
    """Two sentences that say the same (1), or of which one fact differs (0)."""
    cast = make_cast(draws, topics)
    event = make_event(draws, cast)
    adjuncts = tuple(draws.sample(ADJUNCTS, 2))
    is_thing = event.entity("theme").gender == THING
    roles = [*adjuncts, "agent", "theme" if is_thing and event.other is None else "swap"]
    if is_thing:
        roles.append("theme")
    other = event
    if label == 0:
        role = draws.choice(roles)
        if role == "swap" and event.other is None:
            other = event.with_(agent=event.theme, theme=event.agent)
        else:
            other = _changed(event, role, draws, cast)
    return _two_ways(event, other, adjuncts, config.rewording, draws)


def _two_ways(event: Event, other: Event, adjuncts: tuple[str, ...], rewrite: float, draws: Draws) -> Pair:
    """Both events said, never in the same words, in either order.

    The second way is chosen so that it would say the first event differently too: otherwise pairs that say the same
    would differ in length more often.
    """
    first = _finish(say(event, draws, adjuncts, 0.0))
    style = _style(event, draws, adjuncts)
    while _finish(say(event, draws, adjuncts, 0.0, style)) == first:
        style = _style(event, draws, adjuncts)
    second = _finish(say(other, draws, adjuncts, rewrite, style))
    return (first, second) if draws.chance(0.5) else (second, first)


def question_pair(label: int, draws: Draws, config: MicroworldConfig, topics: tuple[lex.Topic, ...]) -> Pair:
    """Two questions with the same answer (1), or of which something differs (0)."""
    cast = make_cast(draws, topics)
    event = make_event(draws, cast, _TRANSFER + lex.TREAT)
    role = draws.choice(("agent", "time", "place", "theme", *(("other",) if event.other is not None else ())))
    kept = draws.choice([adjunct for adjunct in ("time", "place") if adjunct != role])
    event = event.with_(**{name: None for name in ADJUNCTS if name not in (kept, role)})
    other = event
    if label == 0:
        names = [
            name for name in ("agent", "theme", "other", kept) if name != role and getattr(event, name) is not None
        ]
        if role in ("agent", "other") and event.other is not None:
            names = [name for name in names if name not in ("agent", "other")]
        other = _changed(event, draws.choice(names), draws, cast)
    words: dict[str, str] = {}
    # `negated` keeps a converse verb out, which would swap the role asked for with another.
    other = reworded(other.with_(negated=True), draws, config.rewording, words).with_(negated=False)
    passive = draws.chance(0.5)
    first = str(ask(event, role, draws, PlainSpeaker(), passive))
    second = str(ask(other, role, draws, PlainSpeaker(words), not passive))
    return (first, second) if draws.chance(0.5) else (second, first)


FACTS = ("agent", "verb", "theme", "place", "time")


def graded_pair(num_shared: int, draws: Draws, config: MicroworldConfig, topics: tuple[lex.Topic, ...]) -> Pair:
    """Two sentences of five facts (who, did what, with what, where, when), of which `num_shared` are the same."""
    cast = make_cast(draws, topics)
    event = make_event(draws, cast, lex.TREAT)
    kept = draws.sample(FACTS, num_shared)
    changes = {}
    for fact in FACTS:
        if fact not in kept:
            changes[fact] = _unlike(event.verb, draws) if fact == "verb" else _other_value(event, fact, draws, cast)
    other = event.with_(**changes)
    return _two_ways(event, other, ("time", "place"), config.rewording, draws)


def _unlike(verb: lex.Verb, draws: Draws) -> lex.Verb:
    while True:
        other = draws.choice(lex.TREAT)
        if verb.base not in (other.base, other.synonym) and other.base != verb.synonym:
            return other


def answer_pair(label: int, draws: Draws, config: MicroworldConfig, topics: tuple[lex.Topic, ...]) -> Pair:
    """A question and a sentence that answers it (0) or does not (1), though it is about something similar."""
    cast = make_cast(draws, topics)
    event = make_event(draws, cast, _TRANSFER + lex.TREAT)
    role = draws.choice(("agent", "time", "place", "theme"))
    hidden = draws.choice([name for name in ADJUNCTS if name != role])
    told = tuple(name for name in ADJUNCTS if name != hidden)
    kept = tuple(name for name in told if name != role and name != "manner")[:1]
    asked = event.with_(**{name: None for name in ADJUNCTS if name not in (*kept, role)})
    sentence = event
    if label == 1:
        # Leaving the place or time unsaid would show in the sentence's length.
        sentence = _changed(event, draws.choice([name for name in ("agent", "theme") if name != role]), draws, cast)
    question = ask(asked, role, draws, PlainSpeaker())
    return str(question), _finish(say(sentence, draws, told, config.rewording))


PairMaker = Callable[[int, Draws, MicroworldConfig, tuple[lex.Topic, ...]], Pair]
