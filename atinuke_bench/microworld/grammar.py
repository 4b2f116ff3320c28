"""How an event is said: one clause, with everything known about each of its words.

A `Text` collects words together with the mentions of entities and the arguments of predicates, so no label is ever read
back from words. Spans are (first word, last word), both included, counted from the start of the text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from . import lexicon as lex
from .world import PEOPLE, THING, Entity, Event

Span = tuple[int, int]
#: (first word, last word, role).
Argument = tuple[int, int, str]
SUBJECT, OBJECT, POSSESSIVE = 0, 1, 2

#: Words without a space before them.
_CLOSE_LEFT = frozenset((",", ".", "?", "!", ";", "'s", "'"))


@dataclass(slots=True)
class Predicate:
    """A verb at a word, and its arguments."""

    index: int
    lemma: str
    arguments: list[Argument]


@dataclass(slots=True)
class Text:
    """Words, and what is known of them."""

    words: list[str] = field(default_factory=list)
    #: (first word, last word, entity).
    mentions: list[tuple[int, int, Entity]] = field(default_factory=list)
    predicates: list[Predicate] = field(default_factory=list)
    sentence_lengths: list[int] = field(default_factory=list)
    #: Where the current sentence starts.
    start: int = 0

    def add(self, *words: str) -> Span:
        """Append words; their span."""
        first = len(self.words)
        self.words.extend(words)
        return first, len(self.words) - 1

    def end_sentence(self, mark: str = ".") -> None:
        """Close the sentence: punctuation, which swallows the comma of a last clause, and a capital at its start."""
        if self.words[-1] == ",":
            self.words.pop()
        self.words.append(mark)
        first = self.words[self.start]
        self.words[self.start] = first[0].upper() + first[1:]
        self.sentence_lengths.append(len(self.words) - self.start)
        self.start = len(self.words)

    def __str__(self) -> str:
        return join(self.words)


def join(words: list[str]) -> str:
    """Words as running text.

    >>> join(["Ada", "'s", "lamp", ",", "Ben", "said", "."])
    "Ada's lamp, Ben said."
    """
    parts = []
    for word in words:
        if word not in _CLOSE_LEFT:
            parts.append(" ")
        parts.append(word)
    return "".join(parts)[1:]


def word_offsets(words: list[str]) -> list[int]:
    """Where each word starts in `join(words)`.

    >>> word_offsets(["Ada", "'s", "lamp", "."])
    [0, 3, 6, 10]
    """
    offsets, at = [], -1
    for word in words:
        at += word not in _CLOSE_LEFT
        offsets.append(at)
        at += len(word)
    return offsets


class Speaker(Protocol):
    """Chooses the words for an entity, and notes the mention."""

    def refer(self, text: Text, entity: Entity, case: int) -> Span:
        """Append a noun phrase; its span."""
        ...


class PlainSpeaker:
    """Names people and describes things in full: for single sentences. `words` replaces nouns and adjectives."""

    __slots__ = ("words",)

    def __init__(self, words: dict[str, str] | None = None) -> None:
        self.words = words or {}

    def refer(self, text: Text, entity: Entity, case: int) -> Span:
        if entity.name:
            span = text.add(*entity.name)
        else:
            described = (entity.adjective, entity.noun.form) if entity.adjective else (entity.noun.form,)
            span = text.add("the", *(self.words.get(word, word) for word in described))
        text.mentions.append((*span, entity))
        return span


@dataclass(slots=True)
class Style:
    """How one clause is said."""

    passive: bool = False
    #: "gave Ben the lamp" and not "gave the lamp to Ben"; in the passive, "Ben was given the lamp".
    dative: bool = False
    tense: str = "past"  # past, present, perfect, bare (after "to")
    #: Place of the adjuncts: "front", "end", or "" for unsaid.
    time: str = ""
    place: str = ""
    #: "pre" (before the verb), "end" or "" for unsaid.
    manner: str = ""
    #: The agent of a passive.
    by: bool = True
    never: bool = False
    #: Without the subject: "and sold the lamp", "to sell the lamp".
    subject: bool = True
    #: Say the time before the place where both are at the end.
    time_first: bool = False


@dataclass(slots=True)
class Gap:
    """The argument that a relative clause lacks, its antecedent, and its relative pronoun."""

    role: str  # agent, theme, place
    antecedent: Span
    pronoun: Span


def clause(text: Text, event: Event, speaker: Speaker, style: Style, gap: Gap | None = None,
           subject_span: Span | None = None) -> Predicate:  # fmt: skip
    """Say an event; the predicate, which is in `text` too. `subject_span` is the place of an unsaid subject."""
    verb = event.verb
    spans: list[Argument] = []
    passive = style.passive and verb.passive and (event.theme is not None)
    missing = gap.role if gap else ""
    if gap:
        spans.append((*gap.antecedent, _role(event, gap.role)))
        spans.append((*gap.pronoun, "R-" + _role(event, gap.role)))
    _front(text, event, speaker, style, spans)
    subject = _subject_role(event, passive, style)
    if missing != subject:
        if style.subject:
            spans.append((*speaker.refer(text, event.entity(subject), SUBJECT), _role(event, subject)))
        elif subject_span is not None:
            spans.append((*subject_span, _role(event, subject)))
    index = _verb_group(text, event, passive, style, event.entity(subject).gender == PEOPLE, spans)
    _objects(text, event, speaker, passive, style, missing, subject, spans)
    _end(text, event, speaker, style, missing, spans)
    spans.append((index, index, "V"))
    spans.sort()
    predicate = Predicate(index, verb.base, spans)
    text.predicates.append(predicate)
    return predicate


def _subject_role(event: Event, passive: bool, style: Style) -> str:
    if not passive:
        return "theme" if event.agent is None else "agent"
    return "other" if style.dative and event.frame == "give" else "theme"


def _role(event: Event, role: str) -> str:
    if role == "place":
        return "AM-LOC"
    return event.verb.roles[0 if role == "agent" else 1 if role == "theme" else 2]


def _front(text: Text, event: Event, speaker: Speaker, style: Style, spans: list[Argument]) -> None:
    said = False
    if style.time == "front" and event.time is not None:
        spans.append((*say_time(text, event.time), "AM-TMP"))
        said = True
    elif style.place == "front" and event.place is not None:
        spans.append((*say_place(text, event.place, speaker), "AM-LOC"))
        said = True
    if said:
        text.words.append(",")


def say_time(text: Text, time: lex.Time) -> Span:
    """A time phrase, as adverbial."""
    return text.add(*time[0], *time[1])


def say_place(text: Text, place: Entity, speaker: Speaker, preposition: str | None = None) -> Span:
    """A place phrase with its own preposition, or with another ("to", "from")."""
    first = len(text.words)
    text.words.append(preposition or place.noun.preposition)
    return first, speaker.refer(text, place, OBJECT)[1]


def _verb_group(text: Text, event: Event, passive: bool, style: Style, plural: bool, spans: list[Argument]) -> int:
    """The verb with its auxiliaries, negation, modal and manner; the place of the verb itself."""
    verb, words, tense = event.verb, text.words, style.tense
    negation = ("never" if style.never else "not") if event.negated else ""
    if event.modal and tense != "bare":
        spans.append((len(words), len(words), "AM-MOD"))
        words.append(event.modal)
        form = "base"
    elif tense == "bare":
        form = "base"
    elif tense == "perfect":
        words.append("had")
        form = "participle"
    elif passive:
        present = tense == "present"
        words.append(("are" if plural else "is") if present else ("were" if plural else "was"))
        form = "passive"
    elif negation == "not":
        words.append(("do" if plural else "does") if tense == "present" else "did")
        form = "base"
    else:
        form = tense
    if negation:
        spans.append((len(words), len(words), "AM-NEG"))
        words.append(negation)
    if event.manner and style.manner == "pre" and form != "passive":
        spans.append((len(words), len(words), "AM-MNR"))
        words.append(event.manner)
    if passive and form != "passive":
        words.append("been" if form == "participle" else "be")
    if event.manner and style.manner == "pre" and form == "passive":
        spans.append((len(words), len(words), "AM-MNR"))
        words.append(event.manner)
    index = len(words)
    words.append(_verb_form(verb, passive, form, plural))
    if verb.particle:
        words.append(verb.particle)
    return index


def _verb_form(verb: lex.Verb, passive: bool, form: str, plural: bool) -> str:
    if passive or form == "participle":
        return verb.participle
    if form == "past":
        return verb.past
    if form == "present":
        return verb.base if plural else verb.third
    return verb.base


def _objects(text: Text, event: Event, speaker: Speaker, passive: bool, style: Style, missing: str, subject: str,
             spans: list[Argument]) -> None:  # fmt: skip
    frame, roles = event.frame, event.verb.roles
    has_theme = event.theme is not None and missing != "theme" and subject != "theme"
    recipient = frame == "give" and event.other is not None and missing != "other" and subject != "other"
    if recipient and style.dative and not passive and missing != "theme":
        spans.append((*speaker.refer(text, event.entity("other"), OBJECT), roles[2]))
        recipient = False
    if has_theme:
        spans.append((*speaker.refer(text, event.entity("theme"), OBJECT), roles[1]))
    if passive and style.by and event.agent is not None and missing != "agent" and frame != "get":
        _by(text, event, speaker, spans)
    first = len(text.words)
    if recipient:
        text.words.append("to")
        spans.append((first, speaker.refer(text, event.entity("other"), OBJECT)[1], roles[2]))
    elif event.other is not None and frame == "get" and missing != "other":
        text.words.append("from")
        spans.append((first, speaker.refer(text, event.other, OBJECT)[1], roles[2]))
    elif event.other is not None and frame == "put" and missing != "other":
        spans.append((*say_place(text, event.other, speaker), roles[2]))
    elif event.other is not None and frame == "go" and missing != "other":
        spans.append((*say_place(text, event.other, speaker, "to"), roles[2]))
    if passive and style.by and event.agent is not None and missing != "agent" and frame == "get":
        _by(text, event, speaker, spans)


def _by(text: Text, event: Event, speaker: Speaker, spans: list[Argument]) -> None:
    first = len(text.words)
    text.words.append("by")
    spans.append((first, speaker.refer(text, event.entity("agent"), OBJECT)[1], event.verb.roles[0]))


def _end(text: Text, event: Event, speaker: Speaker, style: Style, missing: str, spans: list[Argument]) -> None:
    if event.manner and style.manner == "end":
        spans.append((len(text.words), len(text.words), "AM-MNR"))
        text.words.append(event.manner)
    time = event.time if style.time == "end" else None
    if time is not None and style.time_first:
        spans.append((*say_time(text, time), "AM-TMP"))
    if style.place == "end" and event.place is not None and missing != "place":
        spans.append((*say_place(text, event.place, speaker), "AM-LOC"))
    if time is not None and not style.time_first:
        spans.append((*say_time(text, time), "AM-TMP"))


def relative_pronoun(draw: float, entity: Entity, role: str) -> str:
    """A pronoun for the argument a relative clause lacks, by a number in [0, 1)."""
    if role == "place":
        return "where"
    if entity.gender == THING:
        return "that" if draw < 0.5 else "which"
    if role == "agent":
        return "who" if draw < 0.8 else "that"
    return "whom" if draw < 0.5 else "that"
