"""The world: who and what there is, what happens, and what holds afterwards. It knows no words of a text.

A story's world is simulated step by step: people move, things change hands, and an event is only possible where its
participants are. Labels of all tasks are read from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from . import lexicon as lex
from .draws import Draws

#: Gender of an entity: a woman, a man, a thing, several people, a place.
WOMAN, MAN, THING, PEOPLE, PLACE = "f", "m", "n", "p", "l"

#: Verbs after which the thing is with someone else.
_TRANSFERS = frozenset(["give", "hand", "pass", "sell", "lend", "send", "mail"])
_FROM_AFAR = frozenset(["send", "mail", "promise", "receive", "phone", "call"])
_NEEDS_PRESENCE = frozenset(
    lex.words("meet encounter greet welcome hug embrace watch observe see hear comfort console")
)


@dataclass(eq=False, slots=True)
class Entity:
    """Somebody or something.

    `noun` is the job of a person (`lex.PERSON` for none); `adjective` distinguishes a thing from others of its noun.
    """

    ident: int
    gender: str
    name: tuple[str, ...] = ()
    noun: lex.Noun = lex.PERSON
    adjective: str = ""
    #: Whose relative a person is, and which: (owner, index in KINSHIP).
    kin: tuple[Entity, int] | None = None

    @property
    def is_person(self) -> bool:
        """True for one person."""
        return self.gender in (WOMAN, MAN)


@dataclass(slots=True)
class Event:
    """Something that happened (or, with `negated`, did not). What does not apply is None."""

    verb: lex.Verb
    agent: Entity | None
    theme: Entity | None = None
    #: Recipient, source, or destination.
    other: Entity | None = None
    place: Entity | None = None
    time: lex.Time | None = None
    manner: str | None = None
    negated: bool = False
    modal: str | None = None

    @property
    def frame(self) -> str:
        """How the verb says its arguments."""
        return self.verb.frame

    def entity(self, role: str) -> Entity:
        """Who or what plays a role (agent, theme, other) that this event is known to have."""
        entity = self.agent if role == "agent" else self.theme if role == "theme" else self.other
        assert entity is not None, f"{self.verb.base} has no {role}"
        return entity

    def with_(self, **changes: Any) -> Event:
        """A copy with some fields changed."""
        return replace(self, **changes)


@dataclass(slots=True)
class Cast:
    """The entities of one story."""

    topic: lex.Topic
    people: list[Entity]
    things: list[Entity]
    places: list[Entity]


@dataclass(slots=True)
class World:
    """What holds at some moment, and all events so far."""

    cast: Cast
    times: list[lex.Time]
    #: Where each person is, and who or what place has each thing.
    where: dict[int, Entity] = field(default_factory=dict)
    has: dict[int, Entity] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)


def make_cast(
    draws: Draws, topics: tuple[lex.Topic, ...], num_people: int = 4, num_things: int = 3, num_places: int = 3
) -> Cast:
    """People of both genders, things and places of one topic; two of the things may share a noun and differ in kind."""
    topic = draws.choice(topics)
    num_women = 1 + draws.below(num_people - 1)
    names = [(name, WOMAN) for name in draws.sample(lex.WOMEN, num_women)]
    names += [(name, MAN) for name in draws.sample(lex.MEN, num_people - num_women)]
    jobs = draws.sample(topic.jobs, min(len(topic.jobs), num_people))
    people = []
    for ident, (name, gender) in enumerate(draws.shuffled(names)):
        job = jobs[ident] if ident < len(jobs) and not jobs[ident].form.endswith("man") else lex.PERSON
        people.append(Entity(ident, gender, (name,), job))
    nouns = draws.sample(topic.things, num_things)
    if num_things > 2 and draws.chance(0.4):
        nouns[1] = nouns[0]
    adjectives = draws.sample(lex.ADJECTIVES, num_things)
    things = [Entity(10 + at, THING, (), noun, adjectives[at]) for at, noun in enumerate(nouns)]
    places = [Entity(20 + at, PLACE, (), noun) for at, noun in enumerate(draws.sample(topic.places, num_places))]
    return Cast(topic, people, things, places)


def relate(draws: Draws, cast: Cast) -> None:
    """Make the second person kin of the first, as the first has no more than one of the kind."""
    owner, other = cast.people[0], cast.people[1]
    other.kin = (owner, draws.below(len(lex.KINSHIP)))


def kin_word(entity: Entity) -> str:
    """What a person is to the owner of the relation."""
    assert entity.kin is not None
    return lex.KINSHIP[entity.kin[1]][0 if entity.gender == WOMAN else 1]


def make_times(draws: Draws, num: int) -> list[lex.Time]:
    """Ascending times of one kind for events one after another."""
    names = lex.TIME_KINDS[draws.below(3)]  # days, hours or months, which have an order
    places = sorted(draws.sample(range(len(names)), min(num, len(names))))
    return [names[place] for place in places] + [names[places[-1]]] * (num - len(places))


def simulate(draws: Draws, cast: Cast, num_events: int) -> World:
    """A world in which `num_events` things have happened, each possible at its time."""
    world = World(cast, make_times(draws, num_events))
    for person in cast.people:
        world.where[person.ident] = draws.choice(cast.places)
    for thing in cast.things:
        world.has[thing.ident] = draws.choice(cast.people)
    while len(world.events) < num_events:
        event = _possible_event(draws, world)
        event.time = world.times[len(world.events)]
        if draws.chance(0.3) and event.frame not in ("meet", "change"):
            event.manner = draws.choice(_MANNERS)
        world.events.append(event)
        _happen(world, event)
    return world


_MANNERS = tuple(lex.MANNERS)


def _possible_event(draws: Draws, world: World) -> Event:
    actor = draws.choice(world.cast.people)
    here = world.where[actor.ident]
    present = [one for one in world.cast.people if one is not actor and world.where[one.ident] is here]
    own = [thing for thing in world.cast.things if world.has[thing.ident] is actor]
    kind = draws.below(12)
    if kind < 3 and own:
        verb = draws.choice(lex.GIVE)
        others = present if verb.base not in _FROM_AFAR else [one for one in world.cast.people if one is not actor]
        if others:
            return Event(verb, actor, draws.choice(own), draws.choice(others), here)
    if kind < 5 and present:
        theirs = [thing for thing in world.cast.things if world.has[thing.ident] in present]
        if theirs:
            thing = draws.choice(theirs)
            return Event(draws.choice(lex.GET), actor, thing, world.has[thing.ident], here)
    if kind < 6 and own:
        return Event(draws.choice(lex.PUT), actor, draws.choice(own), here)
    if kind < 8:
        thing = draws.choice(world.cast.things)
        if world.has[thing.ident] is actor or world.has[thing.ident] is here:
            return Event(draws.choice(lex.TREAT), actor, thing, None, here)
    if kind < 10:
        verb = draws.choice(lex.MEET)
        people = present if verb.base in _NEEDS_PRESENCE else [one for one in world.cast.people if one is not actor]
        if people:
            return Event(verb, actor, draws.choice(people), None, here)
    if kind < 11:
        return Event(draws.choice(lex.STAY), actor, None, None, here)
    return Event(draws.choice(lex.GO), actor, None, draws.other(world.cast.places, here))


def _happen(world: World, event: Event) -> None:
    actor, base = event.entity("agent"), event.verb.base
    if event.frame == "go":
        world.where[actor.ident] = event.entity("other")
    elif event.frame == "give" and base in _TRANSFERS:
        world.has[event.entity("theme").ident] = event.entity("other")
    elif event.frame == "get":
        world.has[event.entity("theme").ident] = actor
    elif event.frame == "put":
        world.has[event.entity("theme").ident] = event.entity("other")
