"""A story: the events of one world told as a text, with the entity that each phrase means.

The teller chooses order, voice, connectives and referring expressions. A pronoun is only used where a reader can tell
who is meant: nobody else of that gender was mentioned in this sentence or the one before, or the pronoun is the
subject of a sentence and means the subject of the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from atinuke_bench.config import MicroworldConfig

from . import lexicon as lex
from .draws import Draws
from .fillers import say_filler
from .grammar import OBJECT, POSSESSIVE, SUBJECT, Gap, Predicate, Span, Speaker, Style, Text, clause, relative_pronoun
from .world import PLACE, THING, Entity, Event, World, kin_word, make_cast, relate, simulate

_LINKS = (
    ("then",),
    ("later", ","),
    ("soon",),
    ("after", "that", ","),
    ("meanwhile", ","),
    ("a", "little", "later", ","),
)
_JOINS = ("and", "and then", "but first", "and later")


@dataclass(slots=True)
class Told:
    """What a story says of one event: the span of the words that name each participant."""

    event: Event
    answers: dict[str, Span]


@dataclass(slots=True)
class Story:
    """A world and its telling. `jobs` and `kin` are the spans that say what people are.

    `kin` is somebody, whose kin that is, and the span of the name.
    """

    world: World
    text: Text
    told: list[Told] = field(default_factory=list)
    jobs: dict[int, tuple[Entity, Span, Span]] = field(default_factory=dict)
    kin: tuple[Entity, Entity, Span] | None = None
    #: Events that somebody only said or wished.
    unreal: list[Event] = field(default_factory=list)


def tell(draws: Draws, config: MicroworldConfig, topics: tuple[lex.Topic, ...] = lex.MATCHED_TOPICS,
         num_events: int = 6) -> Story:  # fmt: skip
    """A story of about `num_events` events."""
    cast = make_cast(draws, topics)
    if draws.chance(0.6):
        relate(draws, cast)
    story = Story(simulate(draws, cast, num_events), Text())
    _Teller(draws, config, story).tell()
    return story


class _Teller:
    """Tells one story; also the speaker that its clauses ask for noun phrases."""

    def __init__(self, draws: Draws, config: MicroworldConfig, story: Story) -> None:
        self.draws = draws
        self.config = config
        self.story = story
        self.text = story.text
        #: The sentence in which each entity was last mentioned, and its last mention that is no pronoun.
        self.last: dict[int, int] = {}
        self.full: dict[int, Span] = {}
        self.entities = {one.ident: one for one in (*story.world.cast.people, *story.world.cast.things)}
        self.subjects: list[Entity | None] = []
        #: Entity -> event that the next full mention of it adds as a relative clause.
        self.attached: dict[int, Event] = {}
        self.depth = 0
        self.knows_kin = False
        self.allow_pronouns = True

    # --- noun phrases -------------------------------------------------------------------------------------------------

    def refer(self, text: Text, entity: Entity, case: int) -> Span:
        gender, now = entity.gender, len(text.sentence_lengths)
        if gender == PLACE:
            span = text.add("the", entity.noun.form)
            text.mentions.append((*span, entity))
            self.full[entity.ident] = span
            return span
        if self.allow_pronouns and self._is_clear(entity, case, now) and self.draws.chance(0.75):
            span = text.add(lex.PRONOUNS[gender][case])
        else:
            first = len(text.words)
            self._describe(text, entity, now)
            span = (first, len(text.words) - 1)
            if case == POSSESSIVE:
                text.words.append("'s")
                span = (first, len(text.words) - 1)
            self.full[entity.ident] = (first, len(text.words) - 1 - (case == POSSESSIVE))
        text.mentions.append((*span, entity))
        self.last[entity.ident] = now
        if entity.ident in self.attached and text.words[span[0]].lower() not in _PRONOUN_WORDS:
            return span[0], self._relative(text, entity, span)
        return span

    def _is_clear(self, entity: Entity, case: int, now: int) -> bool:
        last = self.last.get(entity.ident)
        if last is None or last < now - 1:
            return False
        rivals = [
            ident
            for ident, when in self.last.items()
            if when >= now - 1 and ident != entity.ident and self.entities[ident].gender == entity.gender
        ]
        if not rivals:
            return True
        # Subject after subject, unless the rival is in this very sentence.
        is_parallel = case == SUBJECT and self.subjects and self.subjects[-1] is entity
        return bool(is_parallel) and all(self.last[ident] < now for ident in rivals) and self.draws.chance(0.6)

    def _describe(self, text: Text, entity: Entity, now: int) -> None:
        words, draws = text.words, self.draws
        if entity.gender == THING:
            twins = any(one is not entity and one.noun is entity.noun for one in self.story.world.cast.things)
            noun = entity.noun.synonym if draws.chance(0.3) else entity.noun.form
            is_new = entity.ident not in self.last
            if is_new:
                words.extend((lex.article(entity.adjective), entity.adjective, noun))
            elif twins or draws.chance(0.4):
                words.extend(("the", entity.adjective, noun))
            else:
                words.extend(("the", noun))
            return
        if entity.ident in self.story.jobs and draws.chance(0.35):
            words.extend(("the", entity.noun.synonym if draws.chance(0.2) else entity.noun.form))
        elif entity.kin and self.knows_kin and entity.kin[1] < 6 and draws.chance(0.35):
            self.refer(text, entity.kin[0], POSSESSIVE)
            words.append(kin_word(entity))
        else:
            words.extend(entity.name)

    def _relative(self, text: Text, entity: Entity, span: Span) -> int:
        event = self.attached.pop(entity.ident)
        role = "agent" if event.agent is entity else "theme"
        is_person = entity.is_person
        if is_person:
            text.words.append(",")
        word = "which" if is_person else relative_pronoun(self.draws.uniform(), entity, role)
        if is_person:
            word = "who" if role == "agent" else "whom"
        pronoun = text.add(word)
        allowed, self.allow_pronouns = self.allow_pronouns, False
        style = Style(tense="perfect", place=self.draws.choice(("", "end")), dative=False)
        clause(text, event, self, style, Gap(role, span, pronoun))
        self.allow_pronouns = allowed
        end = len(text.words) - 1
        if is_person:
            text.words.append(",")
        return end

    # --- sentences ----------------------------------------------------------------------------------------------------

    def tell(self) -> None:
        """The whole story."""
        self._introduce()
        events, at = self.story.world.events, 0
        while at < len(events):
            for _ in range(self.config.distractors):
                if self.draws.chance(0.35):
                    self._filler()
            at += self._sentence(events, at)
        if self.draws.chance(0.3):
            self._filler()

    def _end(self, subject: Entity | None) -> None:
        self.subjects.append(subject)
        self.text.end_sentence()
        self.attached.clear()

    def _introduce(self) -> None:
        draws, text = self.draws, self.text
        for person in draws.sample(self.story.world.cast.people, 1 + draws.below(3)):
            if person.noun is lex.PERSON:
                continue
            span = self.refer(text, person, SUBJECT)
            text.words.append(draws.choice(("was", "worked as", "was known as")) if draws.chance(0.8) else "had been")
            _split_last(text)
            job = text.add(person.noun.article, person.noun.form)
            text.mentions.append((*job, person))
            if draws.chance(0.3):
                text.add("for", "many", "years")
            self.story.jobs[person.ident] = (person, (job[1], job[1]), self.full.get(person.ident, span))
            self._end(person)
        other = self.story.world.cast.people[1]
        if other.kin is not None:
            self._introduce_kin(other, other.kin[0])

    def _introduce_kin(self, other: Entity, owner: Entity) -> None:
        text, draws, word = self.text, self.draws, kin_word(other)
        self.allow_pronouns = draws.chance(0.3)
        if draws.chance(0.5):
            span = self.refer(text, other, SUBJECT)
            text.words.append("was")
            first = len(text.words)
            self.allow_pronouns = False
            self.refer(text, owner, POSSESSIVE)
            text.words.append(word)
            text.mentions.append((first, len(text.words) - 1, other))
            subject = other
        else:
            self.refer(text, owner, SUBJECT)
            first = text.add("had", lex.article(word), word)[0] + 1
            text.mentions.append((first, first + 1, other))
            text.add(*draws.choice((("named",), ("called",))))
            span = text.add(*other.name)
            text.mentions.append((*span, other))
            self.full[other.ident] = span
            self.last[other.ident] = len(text.sentence_lengths)
            subject = owner
        self.allow_pronouns = True
        self.story.kin = (other, owner, self.full.get(other.ident, span))
        self.knows_kin = True
        self._end(subject)

    def _filler(self) -> None:
        say_filler(self.draws, self.text, self.story.world.cast, self)
        self._end(None)

    def _sentence(self, events: list[Event], at: int) -> int:
        """One sentence that tells the next event, or the next two; how many."""
        event, draws = events[at], self.draws
        after = events[at + 1] if at + 1 < len(events) else None
        self._attach(events[:at], event)
        kind = draws.uniform()
        if after is not None and after.agent is event.agent and kind < 0.6:
            self._joined(event, after)
            return 2
        if after is not None and kind < 0.22:
            self._subordinate(event, after, kind)
            return 2
        if kind < 0.3:
            self._said(event)
        elif kind < 0.38:
            self._wished(event)
        self._single(event, linked=at > 0)
        return 1

    def _attach(self, earlier: list[Event], event: Event) -> None:
        if self.config.depth < 1 or not earlier or not self.draws.chance(0.3):
            return
        for past in reversed(earlier[-4:]):
            if past.theme is not None and past.theme is event.theme and past.theme.gender == THING:
                # Not between a verb and its giver or recipient: "bought the mask which Ada had stolen from him".
                if past.agent is not event.agent and past.theme.ident in self.last and event.other is None:
                    self.attached[past.theme.ident] = past.with_(time=None, manner=None)
                return
            agent = event.entity("agent")
            if past.agent is agent and past.frame == "stay" and agent.ident in self.last:
                self.attached[agent.ident] = past.with_(time=None, manner=None)
                return

    def _style(self, event: Event, front: bool = True) -> Style:
        draws = self.draws
        where = ("front", "end") if front else ("end", "end")
        style = Style(dative=draws.chance(0.5), passive=event.verb.passive and draws.chance(0.2))
        if draws.chance(0.6):
            style.time = draws.choice(where)
        if draws.chance(0.5):
            style.place = "end" if style.time == "front" or draws.chance(0.8) else where[0]
        style.manner = draws.choice(("pre", "end"))
        style.time_first = draws.chance(0.2)
        is_last = not style.passive and event.theme is not None and event.theme.ident in self.attached
        if is_last:
            # A phrase after a relative clause without commas seems to belong to it.
            style.time, style.place, style.manner = "front" if front and style.time else "", "", "pre"
        return style

    def _say(self, event: Event, style: Style, subject_span: Span | None = None) -> None:
        predicate = clause(self.text, event, self, style, subject_span=subject_span)
        answers: dict[str, Span] = {}
        for role, entity in (("agent", event.agent), ("theme", event.theme), ("other", event.other)):
            if entity is not None:
                answers[role] = self.full[entity.ident]
        for first, last, role in predicate.arguments:
            if role == "AM-TMP":
                answers["time"] = (first, last)
            elif role == "AM-MNR":
                answers["manner"] = (first, last)
            elif role == "AM-LOC":
                answers["place"] = (first + 1, last)
        self.story.told.append(Told(event, answers))

    def _single(self, event: Event, linked: bool) -> None:
        style = self._style(event)
        if linked and not (style.time == "front" or style.place == "front") and self.draws.chance(0.4):
            self.text.add(*self.draws.choice(_LINKS))
        self._say(event, style)
        self._end(event.theme if style.passive and event.theme is not None else event.agent)

    def _joined(self, event: Event, after: Event) -> None:
        """Two events with one subject."""
        style = self._style(event)
        style.passive = False
        first_mention = len(self.text.mentions)
        self._say(event, style)
        subject = next(
            (span[:2] for span in self.text.mentions[first_mention:] if span[2] is event.agent),
            self.full[event.entity("agent").ident],
        )
        self.text.add(*self.draws.choice(_JOINS).split())
        second = self._style(after, front=False)
        second.passive, second.subject = False, False
        self._say(after, second, subject)
        self._end(event.agent)

    def _subordinate(self, event: Event, after: Event, kind: float) -> None:
        """Two events in one sentence, the earlier one in a subordinate clause."""
        text, draws = self.text, self.draws
        style, second = self._style(event, front=False), self._style(after, front=False)
        if kind < 0.12:
            text.words.append(draws.choice(("after", "when", "once", "as soon as")))
            _split_last(text)
            style.tense = draws.choice(("past", "perfect"))
            self._say(event, style)
            text.words.append(",")
            self._say(after, second)
        else:
            self._say(event, style)
            text.words.append(draws.choice(("before", "and", ", and")))
            _split_last(text)
            self._say(after, second)
        self._end(None)

    def _said(self, event: Event) -> None:
        """Somebody says something of the next event's people; the event itself follows."""
        draws, cast = self.draws, self.story.world.cast
        speaker = draws.choice(cast.people)
        verb = draws.choice(lex.MEET)
        agent, theme = draws.sample([one for one in cast.people if one is not speaker], 2)
        content = Event(verb, agent, theme, negated=draws.chance(0.3))
        self.story.unreal.append(content)
        verb, other = draws.choice(lex.SAY), None
        if draws.chance(0.3):
            verb, other = draws.choice(lex.TELL), draws.choice([one for one in cast.people if one is not speaker])
        say_that(self.text, verb, speaker, other, content, self, draws)
        self._end(speaker)

    def _wished(self, event: Event) -> None:
        """Somebody wants something that need not come true."""
        draws, cast = self.draws, self.story.world.cast
        person = draws.choice(cast.people)
        content = Event(draws.choice(lex.TREAT), person, draws.choice(cast.things))
        self.story.unreal.append(content)
        want_to(self.text, draws.choice(lex.WANT), person, content, self, draws)
        self._end(person)


def say_that(text: Text, verb: lex.Verb, speaker: Entity, hearer: Entity | None, content: Event, refer: Speaker,
             draws: Draws) -> None:  # fmt: skip
    """ "Ada told Ben that ...": the clause is what is said."""
    subject = refer.refer(text, speaker, SUBJECT)
    index = text.add(verb.past)[0]
    spans = [(*subject, "A0"), (index, index, "V")]
    if hearer is not None:
        spans.append((*refer.refer(text, hearer, OBJECT), "A2"))
    first = text.add("that")[0]
    clause(text, content, refer, Style(tense=draws.choice(("past", "perfect")), dative=True))
    spans.append((first, len(text.words) - 1, "A1"))
    text.predicates.append(Predicate(index, verb.base, spans))


def want_to(text: Text, verb: lex.Verb, person: Entity, content: Event, refer: Speaker, draws: Draws) -> None:
    """ "Ada tried to mend the lamp": the subject of the infinitive comes before the first verb."""
    subject = refer.refer(text, person, SUBJECT)
    index = text.add(verb.past)[0]
    first = text.add("to")[0]
    clause(text, content, refer, Style(tense="bare", subject=False), subject_span=subject)
    text.predicates.append(
        Predicate(index, verb.base, [(*subject, "A0"), (index, index, "V"), (first, len(text.words) - 1, "A1")])
    )


def _split_last(text: Text) -> None:
    """Split the last item that was added at its spaces into words."""
    text.words.extend(text.words.pop().split())


_PRONOUN_WORDS = frozenset(word for forms in lex.PRONOUNS.values() for word in forms)
