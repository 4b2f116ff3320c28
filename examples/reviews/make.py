"""Writes train.csv, test.csv and restaurants.csv: made-up reviews, in which the word after "not" does not count.

Counting words says nothing, since every review has a good and a bad one: an encoder must see what stands beside what.
"""

import csv
import random
from pathlib import Path

GOOD = ("lively", "warm", "clever", "fresh", "bright", "gentle", "witty", "honest")
BAD = ("dull", "cold", "clumsy", "stale", "gloomy", "rude", "tedious", "false")
FILMS = ("film", "plot", "ending", "music", "cast", "sequel", "script", "hero")
MEALS = ("soup", "waiter", "bread", "room", "wine", "menu", "table", "tea")
HOW = ("quite", "rather", "really", "simply", "clearly", "mostly")
FORMS = (
    "the {noun} was {how} {said} , not {denied}",
    "the {noun} was not {denied} but {how} {said}",
    "{how} {said} and not {denied} : the {noun}",
)


def write(path: Path, size: int, nouns: tuple[str, ...], labels: tuple[str, str], source: random.Random) -> None:
    """A table with `size` reviews of these nouns; the labels are the names of good and bad."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("review", "verdict"))
        for _ in range(size):
            is_good = source.random() < 0.5
            said, denied = (GOOD, BAD) if is_good else (BAD, GOOD)
            words = {"said": source.choice(said), "denied": source.choice(denied), "how": source.choice(HOW)}
            text = source.choice(FORMS).format(noun=source.choice(nouns), **words)
            table.writerow((text, labels[0] if is_good else labels[1]))


if __name__ == "__main__":
    here, source = Path(__file__).resolve().parent, random.Random(0)
    write(here / "train.csv", 1200, FILMS, ("good", "bad"), source)
    write(here / "test.csv", 200, FILMS, ("good", "bad"), source)
    write(here / "restaurants.csv", 100, MEALS, ("recommended", "avoid"), source)
