"""Acceptable and unacceptable sentences: one rule of the grammar is broken at a time."""

from __future__ import annotations

from collections.abc import Callable

from . import lexicon as lex
from .draws import Draws
from .grammar import OBJECT, SUBJECT, PlainSpeaker, Predicate, Span, Style, Text, clause
from .pairs import make_event
from .world import PEOPLE, THING, Entity, Event, make_cast

_NUMBER = {"was": "were", "were": "was", "is": "are", "are": "is", "does": "do", "do": "does"}
_VERBS = lex.GIVE + lex.GET + lex.TREAT + lex.TREAT + lex.MEET + lex.PUT
ACCEPTABLE = 1


class _PronounSpeaker(PlainSpeaker):
    """Says pronouns for some people."""

    __slots__ = ("pronouns",)

    def __init__(self, pronouns: tuple[int, ...]) -> None:
        super().__init__()
        self.pronouns = pronouns

    def refer(self, text: Text, entity: Entity, case: int) -> Span:
        if entity.ident in self.pronouns:
            return text.add(lex.PRONOUNS[entity.gender][case])
        return super().refer(text, entity, case)


def judged_sentence(label: int, draws: Draws, topics: tuple[lex.Topic, ...]) -> str:
    """A sentence that is acceptable (1) or not (0)."""
    while True:
        text, predicate, event = _said(draws, topics)
        if label != ACCEPTABLE:
            breakers = draws.shuffled(_BREAKERS)
            if not any(breaker(text.words, predicate, event, draws) for breaker in breakers):
                continue
        elif draws.chance(0.12) and event.entity("theme").gender != THING:
            _reflexive(text.words, predicate, event, draws, right=True)
        text.end_sentence()
        return str(text)


def _said(draws: Draws, topics: tuple[lex.Topic, ...]) -> tuple[Text, Predicate, Event]:
    cast = make_cast(draws, topics)
    event = make_event(draws, cast, _VERBS)
    if event.frame == "put":
        event = event.with_(other=event.place, place=None)
    if draws.chance(0.3) and event.other is None:
        pair = [one for one in cast.people if one is not event.theme][:2]
        event.agent = Entity(50, PEOPLE, (*pair[0].name, "and", *pair[1].name))
    event.negated = draws.chance(0.25)
    event.modal = draws.choice(lex.MODALS) if draws.chance(0.15) else None
    style = Style(
        passive=draws.chance(0.35),
        dative=draws.chance(0.5),
        tense=draws.choice(("past", "past", "present", "perfect")),
        time=draws.choice(("", "front", "end")),
        place=draws.choice(("", "end")),
        manner=draws.choice(("", "end")),
    )
    style.passive = style.passive and style.tense != "perfect"
    people = [one for one in (event.entity("agent"), event.entity("theme")) if one.gender != THING]
    speaker = _PronounSpeaker((draws.choice(people).ident,) if draws.chance(0.35) else ())
    text = Text()
    predicate = clause(text, event, speaker, style)
    return text, predicate, event


# Each of these breaks one rule in place; False where the sentence has nothing for it to break.


def _break_agreement(words: list[str], predicate: Predicate, event: Event, draws: Draws) -> bool:
    at = predicate.index
    for place in range(max(0, at - 3), at):
        if words[place] in _NUMBER:
            words[place] = _NUMBER[words[place]]
            return True
    if words[at] == event.verb.third:
        words[at] = event.verb.base
        return True
    return False


def _break_form(words: list[str], predicate: Predicate, event: Event, draws: Draws) -> bool:
    """ "did not sold", "was sell", "could sold", "had sell"."""
    at, verb = predicate.index, event.verb
    before = words[max(0, at - 3) : at]
    if any(word in ("was", "were", "is", "are", "be", "been", "had") for word in before):
        wrong = draws.choice((verb.base, verb.third))
        if wrong == verb.participle:
            return False
        words[at] = wrong
        return True
    if any(word in lex.MODALS or word in ("did", "does", "do") for word in before):
        words[at] = draws.choice((verb.ing, verb.third))
        return True
    return False


def _break_noun_order(words: list[str], predicate: Predicate, event: Event, draws: Draws) -> bool:
    """ "the lamp red", "lamp red the"."""
    found = [
        place
        for place, word in enumerate(words)
        if word == "the" and place + 2 < len(words) and words[place + 1] in lex.ADJECTIVES
    ]
    if not found:
        return False
    place = draws.choice(found)
    if draws.chance(0.5):
        words[place + 1], words[place + 2] = words[place + 2], words[place + 1]
    else:
        words[place], words[place + 2] = words[place + 2], words[place]
    return True


def _break_verb_order(words: list[str], predicate: Predicate, event: Event, draws: Draws) -> bool:
    """The verb goes before its subject, or to the end."""
    at = predicate.index
    if words[at] != event.verb.past or words[at - 1] in ("had", "was", "were", "not", "never"):
        return False
    subject = next((one for one in predicate.arguments if one[1] == at - 1), None)
    if subject is None or at + 1 >= len(words):
        return False
    verb = words.pop(at)
    words.insert(subject[0] if draws.chance(0.5) else len(words), verb)
    return True


def _break_missing(words: list[str], predicate: Predicate, event: Event, draws: Draws) -> bool:
    """The object that the verb must have is not there; or the place that "put" must have."""
    at, roles = predicate.index, event.verb.roles
    if event.frame == "give" or event.verb.base in _OBJECT_MAY_MISS:
        return False
    for first, last, role in predicate.arguments:
        if first > at and role == (roles[2] if event.verb.base == "put" and draws.chance(0.5) else roles[1]):
            del words[first : last + 1]
            return True
    return False


_OBJECT_MAY_MISS = frozenset(
    lex.words(
        "read eat paint visit call phone help wash watch clean choose select pass drop pull forgive steal see "
        "hear follow observe move mend polish hide greet buy sell borrow lend collect give show lose find"
    )
)


def _break_preposition(words: list[str], predicate: Predicate, event: Event, draws: Draws) -> bool:
    """A preposition is missing: "gave the lamp Ben", "bought the lamp Ben", "Monday" for "on Monday"."""
    found = [
        first
        for first, last, role in predicate.arguments
        if role in ("A2", "AM-LOC") and first > predicate.index and words[first] in ("to", "from", "in", "at", "on")
    ]
    if not found:
        return False
    del words[draws.choice(found)]
    return True


def _break_case(words: list[str], predicate: Predicate, event: Event, draws: Draws) -> bool:
    """ "him sold the lamp", "Ada met he"."""
    for place, word in enumerate(words):
        for forms in lex.PRONOUNS.values():
            if word == forms[SUBJECT] and word != "it":
                words[place] = forms[OBJECT]
                return True
            if word == forms[OBJECT] and word not in ("it", "her") and place > predicate.index:
                words[place] = forms[SUBJECT]
                return True
    return False


def _break_reflexive(words: list[str], predicate: Predicate, event: Event, draws: Draws) -> bool:
    return _reflexive(words, predicate, event, draws, right=False)


def _reflexive(words: list[str], predicate: Predicate, event: Event, draws: Draws, *, right: bool) -> bool:
    """ "Ada blamed herself", or "himself"."""
    agent = event.entity("agent").gender
    if event.frame != "meet" or agent == PEOPLE:
        return False
    span = next((one for one in predicate.arguments if one[2] == "A1" and one[0] > predicate.index), None)
    if span is None:
        return False
    gender = agent if right else ("m" if agent == "f" else "f")
    words[span[0] : span[1] + 1] = [lex.PRONOUNS[gender][3]]
    return True


def _break_doubled(words: list[str], predicate: Predicate, event: Event, draws: Draws) -> bool:
    """The object is said twice: "Ada sold the lamp it"."""
    span = next((one for one in predicate.arguments if one[2] == "A1" and one[0] > predicate.index), None)
    if span is None or event.frame not in ("treat", "get"):
        return False
    words.insert(span[1] + 1, "it" if draws.chance(0.5) else "them")
    return True


_BREAKERS: tuple[Callable[[list[str], Predicate, Event, Draws], bool], ...] = (
    _break_agreement,
    _break_agreement,
    _break_form,
    _break_form,
    _break_noun_order,
    _break_verb_order,
    _break_missing,
    _break_preposition,
    _break_case,
    _break_reflexive,
    _break_doubled,
)
