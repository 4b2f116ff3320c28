"""The ways of writing chunks as tags, which of them a corpus uses, and how chunks are written in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from atinuke_bench.data.bio import LabelledSpan
from atinuke_bench.tasks.tagging.chunks import BEGIN, OUTSIDE, split_tag

_TAG = re.compile(r"O|([BIMELSU])(-.+)?", re.DOTALL)


@dataclass(frozen=True)
class Scheme:
    """The letters of a chunk's first word, of those inside, of its last, and of one that is alone."""

    begin: str
    inside: str
    end: str
    single: str

    def write(self, spans: Iterable[LabelledSpan], num_words: int) -> list[str]:
        """The tags of chunks that do not overlap, in order.

        >>> SCHEMES["bioes"].write([(0, 2, "PER"), (3, 3, "LOC")], 5)
        ['B-PER', 'I-PER', 'E-PER', 'S-LOC', 'O']
        >>> SCHEMES["iob1"].write([(0, 1, "PER"), (2, 2, "PER")], 3)
        ['I-PER', 'I-PER', 'B-PER']
        """
        tags, last = ["O"] * num_words, (-2, "")
        for start, end, kind in spans:
            letters = [self.begin, *[self.inside] * (end - start - 1), self.end] if end > start else [self.single]
            if self.begin == "I" and last == (start - 1, kind):
                letters[0] = "B"  # IOB1's only one, since the two would be read as one chunk
            tags[start : end + 1] = [f"{letter}-{kind}" if kind else letter for letter in letters]
            last = (end, kind)
        return tags


SCHEMES = {
    "iob1": Scheme("I", "I", "I", "I"),
    "iob2": Scheme("B", "I", "I", "B"),
    "bioes": Scheme("B", "I", "E", "S"),
    "bilou": Scheme("B", "I", "L", "U"),
    "bmes": Scheme("B", "M", "E", "S"),
}
#: Where tags are no chunks, such as parts of speech.
PLAIN = "plain"


def is_chunk_tag(tag: str) -> bool:
    """Whether a tag can be one of a scheme.

    >>> is_chunk_tag("B-PER"), is_chunk_tag("NOUN")
    (True, False)
    """
    return _TAG.fullmatch(tag) is not None


def recognise(sentences: Iterable[Sequence[str]]) -> str:
    """The name of the scheme of some tagged sentences, or `plain` where their tags name no chunks.

    `B` and `I` alone are IOB1 where no `B` begins a chunk that needs none and some `I` begins one.

    >>> recognise([["O", "I-PER", "B-PER"]]), recognise([["O", "B-PER", "I-PER"]]), recognise([["DET", "NOUN"]])
    ('iob1', 'iob2', 'plain')
    """
    sentences = [tags for tags in sentences if tags]
    found = {tag: _TAG.fullmatch(tag) for tag in {tag for tags in sentences for tag in tags}}
    letters, typed = set(), set()
    for tag, match in found.items():
        if match is None:
            return PLAIN
        if tag != "O":
            letters.add(match[1])
            typed.add(match[2] is not None)
    # Letters alone may be any tags; with types and without are no scheme.
    if len(typed) != 1 or (typed == {False} and not letters & {"B", "I"}):
        return PLAIN
    if letters <= {"B", "I"}:
        return "iob1" if _is_iob1(sentences) else "iob2"
    fitting = (name for name, one in SCHEMES.items() if letters <= {one.begin, one.inside, one.end, one.single})
    return next(fitting, PLAIN)


def _is_iob1(sentences: Iterable[Sequence[str]]) -> bool:
    has_plain_begin = False
    for tags in sentences:
        for (before, left), (part, kind) in pairwise([(OUTSIDE, ""), *map(split_tag, tags)]):
            follows = before != OUTSIDE and left == kind
            if part == BEGIN and not follows:
                return False
            has_plain_begin |= part not in (BEGIN, OUTSIDE) and not follows
    return has_plain_begin
