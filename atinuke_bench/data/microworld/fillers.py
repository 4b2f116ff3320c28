"""Sentences that no question is about: weather, the state of places, what nobody did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import lexicon as lex
from .draws import Draws
from .grammar import Text
from .world import Cast

if TYPE_CHECKING:
    from .grammar import Speaker

_HOW = ("very", "rather", "almost", "unusually", "strangely", "a little", "quite")
_SINCE = ("that day", "for once", "as usual", "all the time", "in those days", "by then", "again", "at the time")
_NOBODY = ("nobody", "no one", "hardly anybody", "not everyone", "only a stranger", "no stranger", "somebody else")
_DID = (
    "noticed", "cared", "listened", "remembered the reason", "had expected that", "knew the way", "could explain it",
    "spoke about the weather", "asked any questions", "felt tired", "was surprised", "minded the noise",
)  # fmt: skip
_SKY = (
    "the sky was",
    "the weather had been",
    "the streets were",
    "the air felt",
    "the light was",
    "the night had been",
)
_LOOKS = ("clear", "cold", "grey", "pleasant", "strange", "dull", "gloomy", "lovely", "unfriendly", "quiet")
_SOUNDS = ("a dog barked", "an owl hooted", "a door creaked", "the wind howled", "somebody whistled",
           "the lights flickered",
           "a cat slept", "a child laughed", "birds sang", "leaves fell")  # fmt: skip
_WHERE = ("outside", "in the distance", "somewhere near", "behind the house", "across the street", "next door")


def say_filler(draws: Draws, text: Text, cast: Cast | None, speaker: Speaker | None = None) -> None:
    """One sentence, without its full stop. It names nothing of a story but places of a cast."""
    kind = draws.below(6) if cast is not None else 1 + draws.below(5)
    if kind == 0:
        place = draws.choice(cast.places)
        if speaker is None:
            text.add("the", place.noun.form)
        else:
            speaker.refer(text, place, 0)
        text.add(draws.choice(("was", "seemed", "looked", "stayed")), *draws.choice(_HOW).split())
        text.add(draws.choice(lex.STATES), *draws.choice(_SINCE).split())
    elif kind == 1:
        text.add(*draws.choice(_NOBODY).split(), *draws.choice(_DID).split())
    elif kind == 2:
        text.add(*draws.choice(_SKY).split(), *draws.choice(_HOW).split(), draws.choice(_LOOKS))
    elif kind == 3:
        text.add(*draws.choice(_SOUNDS).split(), *draws.choice(_WHERE).split())
    elif kind == 4:
        text.add("there", "was", *draws.choice(("some", "a lot of", "more", "no")).split(), draws.choice(lex.WEATHER))
        text.add(*draws.choice(_SINCE).split())
    else:
        text.add(*draws.choice(_SINCE).split(), ",", *draws.choice(_SOUNDS).split())
