"""Semantic roles, and sentences rich in structure for them: modals, negation, relative and complement clauses, causes.

Stories say plainly what happened; here the same events are said in every way the grammar has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from atinuke_bench.config import MicroworldConfig

from . import lexicon as lex
from .draws import Draws
from .grammar import Gap, PlainSpeaker, Predicate, Span, Style, Text, clause, relative_pronoun
from .pairs import make_event
from .story import say_that, want_to
from .world import PEOPLE, THING, Cast, Entity, Event, make_cast

_ALL = lex.GIVE + lex.GET + lex.TREAT + lex.MEET + lex.TREAT + lex.MEET
SENTENCES_A_CAST = 5


@dataclass(slots=True)
class _Sentences:
    """Says sentences about one cast."""

    draws: Draws
    config: MicroworldConfig
    cast: Cast
    text: Text

    def say(self) -> None:
        """One sentence."""
        kinds: tuple[Callable[[], None], ...] = (
            self._plain, self._plain, self._modal, self._negated, self._relative, self._relative, self._complement,
            self._control, self._cause, self._where, self._change, self._motion, self._joined,
        )  # fmt: skip
        self.draws.choice(kinds)()
        self.text.end_sentence()

    # Each of these says one kind of sentence.

    def _plain(self) -> None:
        self._clause(self._event(), self._style())

    def _modal(self) -> None:
        event = self._event()
        event.modal, event.negated = self.draws.choice(lex.MODALS), self.draws.chance(0.3)
        self._clause(event, self._style())

    def _negated(self) -> None:
        event = self._event()
        event.negated = True
        style = self._style()
        style.never, style.manner = self.draws.chance(0.5), self.draws.choice(("end", ""))
        if style.never:
            style.time = ""
        self._clause(event, style)

    def _motion(self) -> None:
        event = self._event()
        event = event.with_(verb=self.draws.choice(lex.GO), theme=None, other=event.place, place=None)
        self._clause(event, self._style())

    def _change(self) -> None:
        """ "The door opened" and "Ada opened the door": the same role in two places."""
        thing = Entity(90, THING, (), self.draws.choice(lex.OPENABLE), self.draws.choice(lex.ADJECTIVES))
        event = self._event().with_(verb=self.draws.choice(lex.CHANGE), theme=thing, other=None)
        if self.draws.chance(0.5):
            event.agent = None
        style = self._style()
        style.passive = style.passive and event.agent is not None
        self._clause(event, style)

    def _cause(self) -> None:
        """ "Because ...": the cause is an argument of the verb it explains."""
        event, cause = self._event(), self._event()
        while cause.agent is event.agent:
            cause = self._event()
        style = self._style()
        style.time = style.place = ""
        front = self.draws.chance(0.4)
        if front:
            span = self._because(cause)
            self.text.add(",")
            outer = self._clause(event, style)
        else:
            outer = self._clause(event, style)
            span = self._because(cause)
        outer.arguments.append((*span, "AM-CAU"))

    def _because(self, cause: Event) -> Span:
        first = self.text.add("because")[0]
        style = self._style()
        style.time = style.time and "end"
        style.place = style.place and "end"
        style.tense = self.draws.choice(("past", "perfect"))
        style.passive = style.passive and style.tense == "past"
        self._clause(cause, style)
        return first, len(self.text.words) - 1

    def _complement(self) -> None:
        self._nested(max(1, self.config.depth))

    def _nested(self, depth: int) -> None:
        """ "Ada said that Ben thought that ..." """
        verb, hearer = self.draws.choice(lex.SAY), None
        first, second, *_ = self.draws.sample(self.cast.people, 2)
        if self.draws.chance(0.3):
            verb, hearer = self.draws.choice(lex.TELL), second
        if depth > 1 and self.draws.chance(0.5):
            self._quote(verb, first, hearer, depth)
            return
        content = self._event()
        while content.agent is first:
            content = self._event()
        content.negated = self.draws.chance(0.2)
        content.modal = self.draws.choice(lex.MODALS[:5]) if self.draws.chance(0.2) else None
        say_that(self.text, verb, first, hearer, content, _SPEAKER, self.draws)

    def _quote(self, verb: lex.Verb, person: Entity, hearer: Entity | None, depth: int) -> None:
        subject = _SPEAKER.refer(self.text, person, 0)
        index = self.text.add(verb.past)[0]
        spans = [(*subject, "A0"), (index, index, "V")]
        if hearer is not None:
            spans.append((*_SPEAKER.refer(self.text, hearer, 1), "A2"))
        first = self.text.add("that")[0]
        self._nested(depth - 1)
        spans.append((first, len(self.text.words) - 1, "A1"))
        self.text.predicates.append(Predicate(index, verb.base, spans))

    def _control(self) -> None:
        event = self._event().with_(time=None, place=None, manner=None)
        want_to(self.text, self.draws.choice(lex.WANT), event.entity("agent"), event, _SPEAKER, self.draws)

    def _relative(self) -> None:
        """ "The lamp that Ben sold to Ada was broken by Carl." """
        outer = self._event()
        inner = self._event()
        target = outer.entity("agent" if self.draws.chance(0.4) else "theme")
        if target.is_person:
            inner = inner.with_(agent=target)
            if any(target is one for one in (inner.theme, inner.other)):
                inner = inner.with_(
                    verb=self.draws.choice(lex.TREAT), theme=self.draws.choice(self.cast.things), other=None
                )
            role = "agent"
        else:
            while inner.entity("theme").gender != THING or inner.agent is outer.agent:
                inner = self._event()
            inner, role = inner.with_(theme=target), "theme"
        style = self._style()
        # A phrase after a relative clause without commas seems to belong to it.
        style.manner = style.manner and "pre"
        if target.is_person:
            style.time = style.time and "end"
        elif style.passive and outer.verb.passive:
            style.dative = False
        else:
            style.dative, style.time, style.place = True, style.time and "front", ""
            if outer.frame == "get":
                outer = outer.with_(verb=self.draws.choice(lex.TREAT), other=None)
        clause(self.text, outer, _RelativeSpeaker(self, target, inner, role), style)

    def _where(self) -> None:
        """ "Ada danced in the park where Ben met Carl." """
        event, inner = self._event(), self._event()
        event = event.with_(verb=self.draws.choice(lex.STAY), theme=None, other=None)
        predicate = clause(
            self.text, event, _SPEAKER, Style(place="end", time=self.draws.choice(("front", "")), manner="pre")
        )
        place = next(argument for argument in predicate.arguments if argument[2] == "AM-LOC")
        pronoun = self.text.add("where")
        clause(self.text, inner, _SPEAKER, Style(time="end", dative=self.draws.chance(0.5)),
               Gap("place", (place[0] + 1, place[1]), pronoun))  # fmt: skip
        predicate.arguments[predicate.arguments.index(place)] = (place[0], len(self.text.words) - 1, "AM-LOC")

    def _joined(self) -> None:
        event = self._event()
        style = self._style()
        style.passive = False
        predicate = self._clause(event, style)
        subject = next(argument[:2] for argument in predicate.arguments if argument[2] == event.verb.roles[0])
        self.text.add(*self.draws.choice((("and",), ("but",), ("and", "then"))))
        second = self._event().with_(agent=event.agent)
        if any(second.agent is one for one in (second.theme, second.other)):
            second = second.with_(verb=self.draws.choice(lex.STAY), theme=None, other=None)
        again = self._style()
        again.passive, again.subject = False, False
        again.time, again.place = again.time and "end", again.place and "end"
        clause(self.text, second, _SPEAKER, again, subject_span=subject)

    def _event(self) -> Event:
        draws = self.draws
        event = make_event(draws, self.cast, _ALL)
        if draws.chance(0.15) and event.other is None:
            pair = [one for one in self.cast.people if one is not event.theme][:2]
            event.agent = Entity(50, PEOPLE, (*pair[0].name, "and", *pair[1].name))
        return event

    def _style(self) -> Style:
        draws = self.draws
        style = Style(dative=draws.chance(0.5), passive=draws.chance(0.3), by=draws.chance(0.8))
        style.time = draws.choice(("", "front", "end", "end"))
        style.place = (
            draws.choice(("", "", "end", "end")) if style.time == "front" else draws.choice(("", "", "front", "end"))
        )
        style.manner = draws.choice(("", "pre", "end"))
        return style

    def _clause(self, event: Event, style: Style) -> Predicate:
        return clause(self.text, event, _SPEAKER, style)


_SPEAKER = PlainSpeaker()


class _RelativeSpeaker(PlainSpeaker):
    """Adds a relative clause to one entity."""

    __slots__ = ("inner", "role", "sentences", "target")

    def __init__(self, sentences: _Sentences, target: Entity, inner: Event, role: str) -> None:
        super().__init__()
        self.sentences, self.target, self.inner, self.role = sentences, target, inner, role

    def refer(self, text: Text, entity: Entity, case: int) -> Span:
        span = super().refer(text, entity, case)
        if entity is not self.target:
            return span
        draws = self.sentences.draws
        if entity.gender == THING:
            word = relative_pronoun(draws.uniform(), entity, self.role)
        else:
            word = "who"
            text.words.append(",")
        style = Style(place=draws.choice(("", "end")), manner=draws.choice(("", "pre")), dative=draws.chance(0.5))
        style.passive = self.role == "theme" and draws.chance(0.3)
        style.tense = "past" if style.passive else draws.choice(("past", "perfect"))
        clause(text, self.inner, _SPEAKER, style, Gap(self.role, span, text.add(word)))
        end = len(text.words) - 1
        if entity.gender != THING:
            text.words.append(",")
        return span[0], end


def rich_text(draws: Draws, config: MicroworldConfig, topics: tuple[lex.Topic, ...]) -> Text:
    """Some sentences about one cast."""
    sentences = _Sentences(draws, config, make_cast(draws, topics), Text())
    for _ in range(SENTENCES_A_CAST):
        sentences.say()
    return sentences.text


def srl_rows(text: Text, identifier: str) -> list[dict[str, Any]]:
    """One example a predicate, sentence after sentence, in the order of words."""
    rows, start, at = [], 0, 0
    predicates = sorted(text.predicates, key=lambda predicate: predicate.index)
    for number, length in enumerate(text.sentence_lengths):
        words, key = text.words[start : start + length], f"{identifier}-{number}"
        while at < len(predicates) and predicates[at].index < start + length:
            predicate = predicates[at]
            spans = sorted(predicate.arguments)
            rows.append(
                {
                    "id": f"{key}-{predicate.index - start}",
                    "sentence": key,
                    "words": words,
                    "lemma": predicate.lemma,
                    "predicate": predicate.index - start,
                    "starts": [first - start for first, _, _ in spans],
                    "ends": [last - start for _, last, _ in spans],
                    "roles": [role for _, _, role in spans],
                }
            )
            at += 1
        start += length
    return rows
