"""Questions about a story, with answers that are spans of it; and questions it does not answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .draws import Draws
from .grammar import Gap, PlainSpeaker, Span, Style, Text, clause, join, word_offsets
from .story import Story, Told
from .world import THING, Entity, Event, kin_word

_NO_SPAN = (0, 0)
PLAIN = PlainSpeaker()


@dataclass(slots=True)
class Question:
    """A question about one role of one event, and the answer's span in the story."""

    event: Event
    role: str
    answer: Span


def squad_rows(
    story: Story, draws: Draws, identifier: str, unanswerable: list[bool], most: int
) -> list[dict[str, Any]]:
    """At most `most` questions about a story; `unanswerable` says which of them the story must not answer."""
    words = story.text.words
    context, offsets = join(words), word_offsets(words)
    rows: list[dict[str, Any]] = []
    for number, question in enumerate(draws.shuffled(_candidates(story))):
        if len(rows) == most:
            break
        answer = question.answer
        texts, starts = [_piece(context, offsets, words, answer)], [offsets[answer[0]]]
        if unanswerable[len(rows)]:
            changed = _corrupted(story, question, draws)
            if changed is None:
                continue
            question, texts, starts = changed, [], []
        rows.append(
            {
                "id": f"{identifier}-{number}",
                "title": identifier,
                "context": context,
                "question": str(ask(question.event, question.role, draws, PLAIN)),
                "answers": {"text": texts, "answer_start": starts},
            }
        )
    if len(rows) < most and story.kin is not None and not unanswerable[len(rows)]:
        rows.append(_kin_row(*story.kin, words, identifier, context, offsets))
    return rows


def _kin_row(
    person: Entity, owner: Entity, span: Span, words: list[str], identifier: str, context: str, offsets: list[int]
) -> dict[str, Any]:
    text = Text()
    text.add("who", "was", *owner.name, "'s", kin_word(person))
    text.end_sentence("?")
    answer = _piece(context, offsets, words, span)
    return {
        "id": f"{identifier}-kin",
        "title": identifier,
        "context": context,
        "question": str(text),
        "answers": {"text": [answer], "answer_start": [offsets[span[0]]]},
    }


def _piece(context: str, offsets: list[int], words: list[str], span: Span) -> str:
    return context[offsets[span[0]] : offsets[span[1]] + len(words[span[1]])]


def _candidates(story: Story) -> list[Question]:
    """Every question that exactly one event of the story answers."""
    found = []
    for told in story.told:
        event = told.event
        for role, span in told.answers.items():
            if role == "other" and event.frame == "stay":
                continue
            if not _is_answered_elsewhere(story, event, role):
                found.append(Question(_asked(told, role), role, span))
    return found


def _asked(told: Told, role: str) -> Event:
    """The event with only what the story says of it, so that a question names nothing else."""
    event, answers = told.event, told.answers
    return event.with_(
        time=event.time if "time" in answers and role != "time" else None,
        place=event.place if "place" in answers and role != "place" else None,
        manner=None,
    )


def _is_answered_elsewhere(story: Story, event: Event, role: str) -> bool:
    """True when another event has the same verb and, apart from the one asked for, the same participants."""
    return any(
        other is not event and same_verb(other, event) and _agree(other, event, role)
        for others in (story.world.events, story.unreal)
        for other in others
    )


def same_verb(one: Event, other: Event) -> bool:
    """True for equal verbs and for synonyms."""
    return one.verb is other.verb or one.verb.synonym == other.verb.base or other.verb.synonym == one.verb.base


def _agree(one: Event, other: Event, role: str) -> bool:
    return all(asked == role or getattr(one, asked) is getattr(other, asked) for asked in ("agent", "theme", "other"))


def _corrupted(story: Story, question: Question, draws: Draws) -> Question | None:
    """The same question about a participant of the story with whom no such thing happened."""
    event, cast = question.event, story.world.cast
    roles = [role for role in ("agent", "theme", "other") if role != question.role and getattr(event, role) is not None]
    for role in draws.shuffled(roles):
        old: Entity = getattr(event, role)
        pool = cast.people if old.is_person else cast.things if old.gender == THING else cast.places
        used = (event.agent, event.theme, event.other)
        for new in draws.shuffled(pool):
            if any(new is one for one in used):
                continue
            changed = event.with_(**{role: new})
            if not any(
                same_verb(other, changed) and _agree(other, changed, question.role)
                for others in (story.world.events, story.unreal)
                for other in others
            ):
                return Question(changed, question.role, _NO_SPAN)
    return None


# --- the question itself ----------------------------------------------------------------------------------------------


def ask(event: Event, role: str, draws: Draws, speaker: PlainSpeaker, passive: bool | None = None) -> Text:
    """The question for one role of an event, in the passive or not (drawn when None)."""
    text = Text()
    if passive is None:
        passive = draws.chance(0.25)
    passive = passive and event.verb.passive and event.theme is not None
    style = Style(time="end", place="end", dative=False)
    if role == "agent":
        _ask_agent(text, event, speaker, style, passive)
    elif passive:
        _ask_passive(text, event, role, draws, speaker)
    else:
        _ask_active(text, event, role, draws, speaker, style)
    text.end_sentence("?")
    return text


def _ask_agent(text: Text, event: Event, speaker: PlainSpeaker, style: Style, passive: bool) -> None:
    if passive:
        text.add("by", "whom", "was")
        speaker.refer(text, event.entity("theme"), 0)
        text.add(event.verb.participle)
        _other(text, event, "agent", speaker)
        _adjuncts(text, event, speaker)
        return
    text.add("who")
    style.subject = False
    clause(text, event, speaker, style)


def _ask_passive(text: Text, event: Event, role: str, draws: Draws, speaker: PlainSpeaker) -> None:
    if role == "other" and event.frame in ("give", "get"):
        text.add("to" if event.frame == "give" else "from", "whom", "was")
    else:
        text.add(*_question_word(event, role, draws, True)[0], "was")
    if role != "theme":
        speaker.refer(text, event.entity("theme"), 0)
    text.add(event.verb.participle)
    _other(text, event, role, speaker)
    text.add("by")
    speaker.refer(text, event.entity("agent"), 1)
    _adjuncts(text, event.with_(**{role: None}) if role in ("time", "place") else event, speaker)


def _ask_active(text: Text, event: Event, role: str, draws: Draws, speaker: PlainSpeaker, style: Style) -> None:
    word, after = _question_word(event, role, draws)
    text.add(*word, "did")
    speaker.refer(text, event.entity("agent"), 0)
    style.tense, style.subject = "bare", False
    if role in ("theme", "other"):
        clause(text, event.with_(time=None, place=None), speaker, style, Gap(role, _NO_SPAN, _NO_SPAN))
    else:
        clause(text, event.with_(**{role: None}), speaker, style)
    text.add(*after)
    if role in ("theme", "other"):
        _adjuncts(text, event, speaker)


def _other(text: Text, event: Event, role: str, speaker: PlainSpeaker) -> None:
    if event.other is not None and role != "other" and event.frame in ("give", "get"):
        text.add("to" if event.frame == "give" else "from")
        speaker.refer(text, event.other, 1)
    elif event.other is not None and role != "other" and event.frame == "put":
        text.add(event.other.noun.preposition)
        speaker.refer(text, event.other, 1)


def _adjuncts(text: Text, event: Event, speaker: PlainSpeaker) -> None:
    if event.place is not None:
        text.add(event.place.noun.preposition)
        speaker.refer(text, event.place, 1)
    if event.time is not None:
        text.add(*event.time[0], *event.time[1])


def _question_word(
    event: Event, role: str, draws: Draws, passive: bool = False
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What begins the question, and what must follow the verb."""
    if role == "time":
        return ("when",), ()
    if role == "manner":
        return ("how",), ()
    if role == "place":
        return ("where",), ()
    if role == "theme":
        if event.entity("theme").gender == THING:
            return ("what",), ()
        return (("who",) if passive else (draws.choice(("whom", "who")),)), ()
    if event.frame == "put":
        return ("where",), ()
    if event.frame == "go":
        return ("where",), ("to",) if event.verb.base not in ("return", "go", "travel", "come") else ()
    preposition = "to" if event.frame == "give" else "from"
    if draws.chance(0.5):
        return (preposition, "whom"), ()
    return ("who",), (preposition,)
