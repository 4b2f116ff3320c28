"""Sentences that no question is about: weather, the state of places, what nobody did."""

from __future__ import annotations

from . import lexicon as lex
from .draws import Draws
from .grammar import Speaker, Text
from .world import Cast

_HOW = ("very", "rather", "almost", "unusually", "strangely", "a little", "quite")
_PLAIN_HOW = ("very", "rather", "a little", "quite")
_SINCE = ("that day", "for once", "as usual", "all the time", "in those days", "by then", "again", "at the time")
_WHILE = ("that day", "for once", "as usual", "all the time", "again", "at the time")
_THEN = ("that day", "for once", "as usual", "in those days", "by then", "again", "at the time")
_NOBODY = ("nobody", "no one", "hardly anybody", "not everyone", "almost everybody", "somebody else", "everyone else")
_DID = (
    "noticed", "cared", "listened", "remembered the reason", "had expected that", "knew the way", "could explain it",
    "spoke about the weather", "asked about the weather", "felt tired", "was surprised", "heard the noise",
)  # fmt: skip
_SKY = (
    "the sky was",
    "the weather had been",
    "outside it was",
    "the air felt",
    "it had been",
    "the night had been",
)
_LOOKS = ("chilly", "cold", "grey", "hazy", "bleak", "dull", "gloomy", "damp", "unpleasant", "mild")
_SOUNDS = ("a dog barked", "an owl hooted", "something creaked", "the wind howled", "somebody whistled",
           "a horse neighed", "a cat slept", "a rooster crowed", "birds sang", "leaves fell")  # fmt: skip
_WHERE = ("outside", "in the distance", "somewhere near", "not far off", "nearby", "next door")


def say_filler(draws: Draws, text: Text, cast: Cast | None, speaker: Speaker | None = None) -> None:
    """One sentence, without its full stop, of 2 to 9 words.

    It names nothing of a story but places of a cast: weather, animals and what nobody in particular did are scenery,
    which coreference does not mark.
    """
    kind = draws.below(6) if cast is not None else 1 + draws.below(5)
    if cast is not None and kind == 0:
        place = draws.choice(cast.places)
        if speaker is None:
            text.add("the", place.noun.form)
        else:
            speaker.refer(text, place, 0)
        since = draws.choice(_SINCE)
        # Nothing is unusually crowded as usual.
        how = draws.choice(_PLAIN_HOW if since == "as usual" else _HOW)
        verbs = ("was", "seemed", "looked") if since in ("by then", "again") else ("was", "seemed", "looked", "stayed")
        text.add(draws.choice(verbs), *how.split(), draws.choice(lex.STATES), *since.split())
    elif kind == 1:
        text.add(*draws.choice(_NOBODY).split(), *draws.choice(_DID).split())
    elif kind == 2:
        text.add(*draws.choice(_SKY).split(), *draws.choice(_HOW).split(), draws.choice(_LOOKS))
    elif kind == 3:
        text.add(*draws.choice(_SOUNDS).split(), *draws.choice(_WHERE).split())
    elif kind == 4:
        text.add("there", "was", *draws.choice(("some", "a lot of", "more", "no")).split(), draws.choice(lex.WEATHER))
        text.add(*draws.choice(_THEN).split())
    else:
        text.add(*draws.choice(_WHILE).split(), ",", *draws.choice(_SOUNDS).split())
