"""Sentences in which only knowledge of the world says whom a pronoun means, in the manner of Winograd schemas."""

from __future__ import annotations

from . import lexicon as lex
from .draws import Draws
from .grammar import Text
from .pairs import Pair

#: A and B are people of one gender or two things; the pronoun means the one named before the colon. `%s` is it.
_PEOPLE = tuple(
    entry.split(": ")
    for entry in (
        "B: A thanked B because|%s had found the missing THING",
        "B: A blamed B because|%s had lost the THING",
        "A: A apologized to B because|%s had broken the THING",
        "A: A asked B for the THING because|%s needed it badly",
        "B: A lent B the THING because|%s had no THING at home",
        "B: A could not catch B because|%s was too fast",
        "A: A could not catch B because|%s was too slow",
        "B: A comforted B because|%s had been crying",
        "A: A won the race against B because|%s had trained harder",
        "A: A lost the race against B because|%s had slept badly",
        "B: A visited B every day while|%s was ill",
        "B: A looked for B everywhere , but|%s had already left",
        "B: A praised B because|%s had sung very well",
        "B: A paid B after|%s had repaired the THING",
        "B: A envied B because|%s had won the prize",
        "A: A hid from B because|%s had stolen the THING",
        "B: A forgave B after|%s had returned the THING",
        "A: A borrowed the THING from B because|%s had lost another one",
        "B: A followed the advice of B because|%s knew the PLACE well",
        "A: A asked B the way because|%s was a stranger INPLACE",
        "B: A helped B up after|%s had fallen INPLACE",
        "A: A phoned B when|%s needed help INPLACE",
        "A: A sold B the THING because|%s did not need it any more",
        "B: A invited B because|%s was an old friend",
        "A: A frightened B when|%s shouted INPLACE",
        "B: A warned B because|%s was in danger",
    )
)
_THINGS = tuple(
    entry.split(": ")
    for entry in (
        "A: A fell on B , but|%s was too light to do any harm",
        "B: A fell on B , and|%s was crushed",
        "A: everyone liked A better than B because|%s was prettier",
        "B: everyone liked A better than B because|%s was uglier",
        "A: A could not be hidden behind B because|%s was too wide",
        "B: A could not be hidden behind B because|%s was too narrow",
        "A: A broke when it was thrown at B because|%s was fragile",
        "B: A replaced B because|%s was worn out",
    )
)
#: Both things hold something, so no noun by itself reveals which one was too big.
_CONTAINERS = tuple(
    entry.split(": ")
    for entry in (
        "A: A did not fit into B because|%s was too big",
        "B: A did not fit into B because|%s was too small",
    )
)
_HOLDING = lex.words("box bag basket trunk sack barrel drawer cupboard")


def winograd_pair(label: int, draws: Draws, topics: tuple[lex.Topic, ...]) -> Pair:
    """A sentence with a pronoun, and its last clause with somebody in the pronoun's place: rightly (1) or not (0)."""
    topic = draws.choice(topics)
    first: tuple[str, ...]
    second: tuple[str, ...]
    if draws.chance(0.75):
        gender, names = draws.choice((("f", lex.WOMEN), ("m", lex.MEN)))
        first, second = ((name,) for name in draws.sample(names, 2))
        who, pattern = draws.choice(_PEOPLE)
        pronoun = lex.PRONOUNS[gender][0]
    else:
        entry, pronoun = draws.choice((*_THINGS, *_CONTAINERS)), "it"
        who, pattern = entry
        nouns = _HOLDING if entry in _CONTAINERS else [noun.form for noun in topic.things]
        first, second = (("the", noun) for noun in draws.sample(nouns, 2))
    place = draws.choice(topic.places)
    fillers: dict[str, str | tuple[str, ...]] = {
        "THING": draws.choice(topic.things).form,
        "PLACE": place.form,
        "INPLACE": (place.preposition, "the", place.form),
        "A": first,
        "B": second,
    }
    before, after = pattern.split("|")
    meant = first if who == "A" else second
    named = meant if label else (second if who == "A" else first)
    return _sentence(f"{before} {after}", fillers, (pronoun,)), _sentence(after, fillers, named)


def _sentence(pattern: str, fillers: dict[str, str | tuple[str, ...]], referent: tuple[str, ...]) -> str:
    text = Text()
    for word in pattern.split():
        filler = referent if word == "%s" else fillers.get(word, word)
        text.add(*((filler,) if isinstance(filler, str) else filler))
    text.end_sentence()
    return str(text)
