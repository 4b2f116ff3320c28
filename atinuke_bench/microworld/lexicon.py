"""The words of the world, with what the grammar must know of each.

People's names and kin are the same everywhere; places, things and jobs belong to topics. The last two topics are kept
for `mismatched` data, which no train split uses. Words joined by `/` are synonyms and may replace each other.
"""

from __future__ import annotations

from dataclasses import dataclass


def words(text: str) -> list[str]:
    """The words of a text, which is a list with spaces."""
    return text.split()


WOMEN = words(
    "Ada Amara Anna Bella Bisi Carla Chika Clara Dora Edith Elena Emma Esther Eva Farida Flora Grace "
    "Greta Hanna Helen Ida Ines Irene Iris Jana Joan Julia Karin Kemi Laura Lena Lily Lucy Mabel Maria "
    "Martha Mina Mona Nadia Nina Nora Olga Paula Petra Rita Rosa Ruth Sade Sara Sofia Stella Susan Tara "
    "Tina Vera Wanda Yemi Zoe"
)
MEN = words(
    "Abel Adam Alan Albert Anton Arthur Ben Bruno Carl Chidi Colin Daniel David Dayo Edgar Emil Eric "
    "Felix Femi Frank Fred George Hans Harold Henry Hugo Ivan Jacob James Jonas Joseph Karl Kofi Leo Liam "
    "Louis Luke Marcus Martin Max Musa Nathan Oscar Otto Patrick Paul Peter Ralph Robert Sam Simon Stefan "
    "Theo Thomas Tunde Victor Walter William"
)


@dataclass(frozen=True, slots=True, eq=False)
class Noun:
    """A common noun; `synonym` is another noun for the same thing, or itself. a place has its `preposition`."""

    form: str
    synonym: str
    preposition: str = ""

    @property
    def article(self) -> str:
        """ "a" or "an"."""
        return article(self.form)


def article(word: str) -> str:
    """The indefinite article before a word.

    >>> article("umbrella"), article("uniform"), article("hour")
    ('an', 'a', 'an')
    """
    if word in ("hour", "honest", "heir"):
        return "an"
    return "an" if word[0] in "aeiou" and not word.startswith(("uni", "use", "eu")) else "a"


def _noun(entry: str) -> Noun:
    preposition, _, name = entry.rpartition(":")
    form, _, synonym = name.partition("/")
    return Noun(form, synonym or form, preposition)


#: The noun of people who have only a name.
PERSON = _noun("person")


def _nouns(text: str) -> tuple[Noun, ...]:
    return tuple(_noun(entry) for entry in text.split())


@dataclass(frozen=True, slots=True, eq=False)
class Topic:
    """What a story of one kind is about."""

    name: str
    places: tuple[Noun, ...]
    things: tuple[Noun, ...]
    jobs: tuple[Noun, ...]


def _topic(name: str, places: str, things: str, jobs: str) -> Topic:
    return Topic(name, _nouns(places), _nouns(things), _nouns(jobs))


TOPICS = (
    _topic(
        "house",
        "in:kitchen in:garden in:attic in:cellar in:hall in:bedroom in:garage on:balcony",
        "lamp vase kettle mirror/looking-glass blanket cushion candle cupboard carpet/rug teapot clock bucket",
        "cook/chef gardener cleaner painter plumber",
    ),
    _topic(
        "town",
        "at:market in:bakery in:shop/store at:station in:park in:square in:bank at:museum",
        "bicycle/bike umbrella ticket basket wallet/purse parcel/package newspaper coat hat necklace watch loaf",
        "baker tailor butcher banker jeweller",
    ),
    _topic(
        "school",
        "in:library in:classroom in:gym in:office in:playground in:canteen in:laboratory/lab in:corridor",
        "book notebook pencil map dictionary ruler globe poster calculator satchel/schoolbag essay microscope",
        "teacher/schoolteacher librarian coach student/pupil headmaster",
    ),
    _topic(
        "harbour",
        "at:harbour/port on:ship/vessel on:beach in:lighthouse on:pier in:warehouse in:tavern/inn on:island",
        "rope anchor net lantern compass barrel telescope sail chart oar trunk flag",
        "captain/skipper sailor/seaman fisherman merchant/trader pilot",
    ),
    _topic(
        "farm",
        "in:barn in:stable in:field in:orchard in:meadow in:mill at:well on:hill",
        "shovel/spade saddle ladder hammer wagon/cart rake bridle plough wheelbarrow whip bell sack/bag",
        "farmer shepherd miller blacksmith/smith vet",
    ),
    _topic(
        "theatre",
        "on:stage in:lobby/foyer in:studio in:gallery in:dressing-room at:opera in:cafe in:workshop",
        "violin/fiddle costume script mask portrait drum photograph/photo guitar statue/sculpture trumpet camera wig",
        "actor singer musician director dancer",
    ),
    _topic(
        "hospital",
        "in:clinic in:ward in:pharmacy in:surgery in:waiting-room in:ambulance in:courtyard in:chapel",
        "bandage syringe bottle stretcher thermometer crutch pillow tray wheelchair needle jar uniform",
        "doctor/physician nurse surgeon pharmacist/chemist dentist",
    ),
    _topic(
        "expedition",
        "in:cave in:tent at:camp on:glacier in:valley in:forest/woods at:waterfall on:plateau",
        "rucksack/backpack torch/flashlight axe stove shell fossil diary/journal radio shield crystal feather kayak",
        "explorer guide geologist hunter scout",
    ),
)
#: Topics of train and of matched data; the others occur only in mismatched data.
MATCHED_TOPICS, MISMATCHED_TOPICS = TOPICS[:6], TOPICS[6:]

COLOURS = words("red blue green yellow white black brown grey purple orange")
#: Each word, and one that means the same (or itself).
QUALITIES = dict(
    entry.split("/")
    for entry in words(
        "big/large small/little old/old new/new expensive/costly cheap/cheap beautiful/lovely strange/odd "
        "ugly/ugly plain/simple"
    )
)

ADJECTIVES = tuple(COLOURS) + tuple(QUALITIES)

#: The word for a woman, the word for a man, and the one that fits both or none.
KINSHIP = (("sister", "brother"), ("mother", "father"), ("daughter", "son"), ("aunt", "uncle"), ("niece", "nephew"),
           ("grandmother", "grandfather"), ("cousin", "cousin"), ("neighbour", "neighbour"),
           ("friend", "friend"))  # fmt: skip

#: Pairs of manners that exclude each other, each with a word that means the same (or itself).
OPPOSITE_MANNERS = tuple(
    tuple(tuple(word.split("/")) for word in pair.split("|"))
    for pair in words(
        "quickly/rapidly|slowly/slowly quietly/silently|loudly/noisily happily/cheerfully|sadly/unhappily "
        "carefully/cautiously|carelessly/recklessly gladly/willingly|reluctantly/unwillingly "
        "politely/courteously|rudely/impolitely calmly/calmly|nervously/anxiously "
        "secretly/secretly|openly/publicly"
    )
)
#: Each manner, and a word that means the same (or itself).
MANNERS = {word: synonym for pair in OPPOSITE_MANNERS for word, synonym in pair}
OPPOSITE = {
    one: other for pair in OPPOSITE_MANNERS for one, other in ((pair[0][0], pair[1][0]), (pair[1][0], pair[0][0]))
}

#: A preposition, and the words that name the time.
Time = tuple[tuple[str, ...], tuple[str, ...]]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
HOURS = words("one two three four five six seven eight nine ten eleven")
MONTHS = words("January February March April May June July August September October November December")
#: Times that exclude each other, by kind (a Monday may well be in May).
TIME_KINDS: tuple[tuple[Time, ...], ...] = (
    tuple((("on",), (day,)) for day in DAYS),
    tuple((("at",), (hour, "o'clock")) for hour in HOURS),
    tuple((("in",), (month,)) for month in MONTHS),
    tuple((("in", "the"), (part,)) for part in ("morning", "afternoon", "evening"))
    + tuple((("at",), (part,)) for part in ("noon", "midnight", "dawn", "dusk")),
)


@dataclass(frozen=True, slots=True, eq=False)
class Verb:
    """A verb with its forms, how its arguments are said, and their PropBank roles.

    `frame` is how arguments are said; `roles` belong to agent, theme and other (recipient, source, destination).
    """

    base: str
    past: str
    participle: str
    ing: str
    third: str
    frame: str
    roles: tuple[str, ...]
    #: Verb that may replace it; itself when there is none.
    synonym: str = ""
    particle: str = ""
    passive: bool = True


_DOUBLING = frozenset(words("hug stop drop wrap grab drag trim ship plan"))


def _regular(base: str) -> tuple[str, str, str]:
    """Past, participle and the form with -ing."""
    if base in _DOUBLING:
        past, ing = base + base[-1] + "ed", base + base[-1] + "ing"
    elif base.endswith("e"):
        past, ing = base + "d", base[:-1] + "ing"
    elif base.endswith("y") and base[-2] not in "aeiou":
        past, ing = base[:-1] + "ied", base + "ing"
    else:
        past, ing = base + "ed", base + "ing"
    return past, past, ing


def third_person(base: str) -> str:
    """The present form after "she".

    >>> third_person("watch"), third_person("carry"), third_person("sell"), third_person("go")
    ('watches', 'carries', 'sells', 'goes')
    """
    if base.endswith(("s", "x", "ch", "sh", "z", "o")):
        return base + "es"
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ies"
    return base + "s"


def _verbs(frame: str, roles: str, text: str, *, passive: bool = True) -> tuple[Verb, ...]:
    """Verbs from `base`, or `base,past,participle,ing` where irregular; `/synonym` and `+particle` may follow."""
    found = []
    for entry in text.split():
        entry, _, synonym = entry.partition("/")
        entry, _, particle = entry.partition("+")
        base, *irregular = entry.split(",")
        past, participle, ing = irregular or _regular(base)
        third = third_person(base)
        found.append(
            Verb(base, past, participle, ing, third, frame, tuple(roles.split()), synonym or base, particle, passive)
        )
    return tuple(found)


#: Agent, thing, recipient: "sold Ben the lamp", "sold the lamp to Ben".
GIVE = _verbs(
    "give",
    "A0 A1 A2",
    "give,gave,given,giving hand/pass pass/hand "
    "sell,sold,sold,selling lend,lent,lent,lending send,sent,sent,sending/mail "
    "mail/send show,showed,shown,showing offer promise",
)
#: Agent, thing, source: "bought the lamp from Ben".
GET = _verbs(
    "get",
    "A0 A1 A2",
    "buy,bought,bought,buying/purchase purchase/buy borrow steal,stole,stolen,stealing receive collect",
)
#: Agent, thing: "repaired the lamp".
TREAT = _verbs(
    "treat",
    "A0 A1",
    "repair/fix fix,fixed,fixed,fixing/mend mend/repair clean wash polish paint find,found,found,finding/discover "
    "discover/find lose,lost,lost,losing break,broke,broken,breaking drop carry hide,hid,hidden,hiding/conceal "
    "conceal/hide inspect/examine examine/inspect photograph wrap "
    "touch admire choose,chose,chosen,choosing/select "
    "select/choose weigh,weighed,weighed,weighing drag/pull pull/drag ruin/destroy destroy/ruin",
)
#: Agent, person: "met Ben".
MEET = _verbs(
    "meet",
    "A0 A1",
    "meet,met,met,meeting/encounter encounter,encountered,encountered,encountering/meet help/assist assist/help "
    "thank praise greet/welcome welcome/greet invite follow call/phone phone/call visit "
    "watch/observe observe/watch warn hug/embrace embrace/hug blame criticize see,saw,seen,seeing "
    "hear,heard,heard,hearing ignore avoid annoy "
    "surprise/amaze amaze/surprise comfort/console console/comfort forgive,forgave,forgiven,forgiving",
)
#: Agent, thing, destination: "put the lamp in the kitchen".
PUT = _verbs(
    "put",
    "A0 A1 A2",
    "put,put,put,putting/place place/put leave,left,left,leaving store/keep keep,kept,kept,keeping/store",
)
#: Mover, destination: "walked to the market".
GO = _verbs(
    "go",
    "A0 A1 AM-DIR",
    "walk run,ran,run,running hurry/rush rush/hurry drive,drove,driven,driving ride,rode,ridden,riding climb",
    passive=False,
) + _verbs(
    "go",
    "A1 A1 A4",
    "go,went,gone,going return travel,traveled,traveled,traveling come,came,come,coming",
    passive=False,
)
#: One participant: "waited in the kitchen".
STAY = _verbs(
    "stay",
    "A0 A1 AM-LOC",
    "sing,sang,sung,singing dance laugh/giggle giggle/laugh "
    "work wait,waited,waited,waiting read,read,read,reading rest,rested,rested,resting "
    "cry/weep weep,wept,wept,weeping/cry sleep,slept,slept,sleeping whistle smile eat,ate,eaten,eating",
    passive=False,
)
#: Things to which something happens, with or without somebody who does it.
CHANGE = _verbs("change", "A0 A1", "open close/shut shut,shut,shut,shutting/close move melt,melted,melted,melting burn")
#: Things that open and shut, of every topic.
OPENABLE = _nouns("door window gate box chest drawer")
SAY = _verbs(
    "say", "A0 A1", "say,said,said,saying explain claim report "
    "think,thought,thought,thinking/believe believe/think know,knew,known,knowing", passive=False,
)  # fmt: skip
TELL = _verbs(
    "tell",
    "A0 A1 A2",
    "tell,told,told,telling/inform inform/tell remind,reminded,reminded,reminding assure",
    passive=False,
)
WANT = _verbs(
    "want", "A0 A1", "want/wish wish/want try/attempt attempt,attempted,attempted,attempting/try "
    "plan hope decide refuse begin,began,begun,beginning/start start/begin", passive=False,
)  # fmt: skip

#: Verbs whose agent is the other's recipient or source: who sells to Ben is the one that Ben buys from.
CONVERSE = {"sell": "buy", "buy": "sell", "purchase": "sell", "lend": "borrow", "borrow": "lend"}

BY_BASE = {verb.base: verb for verb in (*WANT, *TELL, *SAY, *CHANGE, *STAY, *GO, *PUT, *MEET, *TREAT, *GET, *GIVE)}
MODALS = ("could", "would", "should", "might", "must", "will", "can", "may")
PRONOUNS = {
    # subject, object, possessive, reflexive
    "f": ("she", "her", "her", "herself"),
    "m": ("he", "him", "his", "himself"),
    "n": ("it", "it", "its", "itself"),
    "p": ("they", "them", "their", "themselves"),
}

#: How a place can be, and what the weather did: for irrelevant sentences.
STATES = words("quiet crowded dark bright noisy warm cold dusty peaceful busy cosy gloomy")
WEATHER = words("rain snow wind fog sunshine hail thunder ice")
