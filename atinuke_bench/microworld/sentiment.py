"""Reviews of films and plays that do not exist: the verdict is drawn first, and then said."""

from __future__ import annotations

from .draws import Draws

_GOOD = (
    "moving", "clever", "warm", "funny", "gripping", "fresh", "charming", "brilliant", "tender", "lively", "elegant",
    "honest", "thrilling", "wise", "delightful", "powerful", "graceful", "witty", "convincing", "memorable",
)  # fmt: skip
_BAD = (
    "dull", "silly", "cold", "tedious", "clumsy", "stale", "noisy", "shallow", "lifeless", "sloppy", "predictable",
    "confusing", "tiresome", "empty", "awkward", "pompous", "bland", "hollow", "forgettable", "painful",
)  # fmt: skip
_WORK = ("film", "movie", "play", "show", "comedy", "drama", "musical", "sequel")
_PART = ("story", "acting", "dialogue", "music", "plot", "script", "ending", "first half", "lead performance", "humour",
         "direction", "camera work")  # fmt: skip
_VERY = ("", "", "very", "really", "surprisingly", "often", "always", "truly", "quite")
_PRAISE = ("a joy", "a triumph", "a treat", "a gem", "a success", "worth the ticket")
_BLAME = ("a bore", "a failure", "a mess", "a waste of time", "a disappointment", "hard to sit through")
_TURN = ("not", "never", "hardly", "far from", "anything but", "not at all")


def review(label: int, draws: Draws) -> str:
    """A review whose verdict is positive (1) or negative (0)."""
    own, other = (_GOOD, _BAD) if label else (_BAD, _GOOD)
    verdict, against = (_PRAISE, _BLAME) if label else (_BLAME, _PRAISE)
    work, part = draws.choice(_WORK), draws.choice(_PART)
    very = draws.choice(_VERY)
    kind = draws.below(9)
    first, second = draws.sample(own, 2)
    if kind == 0:
        words = f"a {very} {first} and {second} {work}"
        words = words.replace("a  ", "a ")
    elif kind == 1:
        words = f"the {part} is {very} {first} , and the {draws.other(_PART, part)} is {second}"
    elif kind == 2:
        words = f"the {part} is {draws.choice(_TURN)} {draws.choice(other)}"
    elif kind == 3:
        # What is conceded does not decide.
        link = draws.choice(("although", "though", "even if"))
        words = f"{link} the {part} is {draws.choice(other)} , the {work} is {very} {first}"
    elif kind == 4:
        words = f"the {part} may be {draws.choice(other)} , but the {work} as a whole is {draws.choice(verdict)}"
    elif kind == 5:
        words = f"nobody could call this {work} {draws.choice(other)}"
    elif kind == 6:
        words = f"this {work} is {draws.choice(verdict)} from beginning to end"
    elif kind == 7:
        words = f"the {work} is not {draws.choice(against)} , and its {part} is {first}"
    else:
        words = f"I expected a {draws.choice(other)} {work} , but the {part} turned out to be {very} {first}"
    words = _article(" ".join(words.split())) + "."
    return (words[0].upper() + words[1:]).replace(" ,", ",")


def _article(text: str) -> str:
    words = text.split()
    for place in range(len(words) - 1):
        if words[place] == "a" and words[place + 1][0] in "aeio":
            words[place] = "an"
    return " ".join(words)
