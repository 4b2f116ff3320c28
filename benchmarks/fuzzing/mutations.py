"""What can be wrong with a file: seeded changes of its bytes, of its lines, and of the values it holds.

`mutate` changes what a file says; a change of `SAME_MEANING` changes how it is written, and a reader must not notice.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
from collections.abc import Callable
from typing import Any

Change = Callable[[bytes, random.Random], bytes]

#: JSON and YAML values that readers do not expect, as they are written in a file.
NASTY = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-1",
    b"0",
    b"1.5",
    b"99999999999",
    b"18446744073709551615",
    b"9" * 400,
    b"9" * 5000,
    b"0x10",
    b"010",
    b"true",
    b"null",
    b"[]",
    b"{}",
    b"[[]]",
    b'""',
    b'"\\ud83d"',
    b'"\\u0000"',
    b'"\\u001b[31m"',
    b'"../../../etc"',
    b'"=1+1"',
    b'"\\\\input{/etc/passwd}"',
    b"2024-13-45",
    b"2024-01-01",
    "٣".encode(),
    "²".encode(),
    b'{"a": {"b": [1, "x"]}}',
    b"!!python/object:os.system x",
    b"*undefined",
    b"1:30",
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_TEXT = re.compile(rb'"[^"\n]{0,200}"')
_WORD = re.compile(rb"[^\s\t]+")
_BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n" % (n, n, *[n - 1] * 9) for n in range(98, 107)
)


def _replaced(pattern: re.Pattern[bytes], values: tuple[bytes, ...]) -> Change:
    def change(content: bytes, draw: random.Random) -> bytes:
        # Only a part of a long file is searched, since one place is drawn.
        start = draw.randrange(max(len(content) - 20_000, 1))
        places = list(pattern.finditer(content, start, start + 20_000))
        if not places:
            return draw.choice(values)
        place = draw.choice(places)
        return content[: place.start()] + draw.choice(values) + content[place.end() :]

    return change


def _inserted(make: Callable[[random.Random], bytes]) -> Change:
    def change(content: bytes, draw: random.Random) -> bytes:
        place = draw.randrange(len(content) + 1)
        return content[:place] + make(draw) + content[place:]

    return change


def flip_bits(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8))):
        if changed:
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _lines(edit: Callable[[list[bytes], int, random.Random], None]) -> Change:
    def change(content: bytes, draw: random.Random) -> bytes:
        lines = content.splitlines(keepends=True)
        if lines:
            edit(lines, draw.randrange(len(lines)), draw)
        return b"".join(lines)

    return change


def _swap(lines: list[bytes], place: int, draw: random.Random) -> None:
    other = draw.randrange(len(lines))
    lines[place], lines[other] = lines[other], lines[place]


def _value(edit: Callable[[Any, Any, random.Random], None]) -> Change:
    """Changes one value of a JSON file, or of a line of JSON; other files lose their second half."""

    def change(content: bytes, draw: random.Random) -> bytes:
        lines = [content]
        try:
            record = json.loads(content)
        except (ValueError, RecursionError):
            lines = content.splitlines(keepends=True)
            if not lines:
                return content
            place = draw.randrange(len(lines))
            try:
                record = json.loads(lines[place])
            except (ValueError, RecursionError):
                return content[: len(content) // 2]
            lines[place] = _changed(record, edit, draw) + b"\n"
            return b"".join(lines)
        return _changed(record, edit, draw)

    return change


def _changed(record: Any, edit: Callable[[Any, Any, random.Random], None], draw: random.Random) -> bytes:
    parents = list(_parents(record))
    if parents:
        # A key high up as likely as one of the many deep below.
        depth = draw.choice(sorted({depth for depth, _, _ in parents}))
        _, parent, key = draw.choice([found for found in parents if found[0] == depth])
        edit(parent, key, draw)
    return json.dumps(record).encode()


def _parents(value: Any, depth: int = 0) -> Any:
    if isinstance(value, dict | list) and depth < 20:
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield depth, value, key
            yield from _parents(value[key], depth + 1)


_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, float("nan"), float("inf"), 10**30, 10**400, 2**63, 2**64, "", "x", "\ud83d", "\0",
    "\x1b[31mred", "=1+1", "a" * 5000, [], {}, [[]], [None], {"a": 1}, {"": None}, "2024-13-45", "../../x", "٣", "1e5",
)  # fmt: skip


def _set_odd(parent: Any, key: Any, draw: random.Random) -> None:
    parent[key] = draw.choice(_ODD)


def _delete(parent: Any, key: Any, draw: random.Random) -> None:
    del parent[key]


def _rename(parent: Any, key: Any, draw: random.Random) -> None:
    if isinstance(parent, dict):
        parent[draw.choice(("", "x", "\ud83d", "a" * 1000, "schema", "\x1b[2J"))] = parent.pop(key)
    else:
        parent.append(parent[key])


def repeat_key(content: bytes, draw: random.Random) -> bytes:
    """A key of a mapping twice, with another value."""
    places = list(re.finditer(rb'(?m)^(\s*)("?[\w./]+"?):', content)) or list(re.finditer(rb'()("\w+"):', content))
    if not places:
        return content + content
    place = draw.choice(places)
    end = b"\n" if place[1] or not place[2].startswith(b'"') else b" "
    comma = b"," if place[2].startswith(b'"') else b""
    return content[: place.start(2)] + place[2] + b": 1" + comma + end + place[1] + content[place.start(2) :]


CHANGES: dict[str, Change] = {
    "bits": flip_bits,
    "cut": lambda content, draw: content[: draw.randrange(len(content) + 1)],
    "cut-front": lambda content, draw: content[draw.randrange(len(content) + 1) :],
    "empty": lambda content, draw: draw.choice((b"", b"\n", b" \t\n\n", b"\0" * 512, b"\xef\xbb\xbf", b"{}", b"[]")),
    "line-gone": _lines(lambda lines, place, draw: lines.__delitem__(place)),
    "line-twice": _lines(lambda lines, place, draw: lines.insert(place, lines[place])),
    "lines-swapped": _lines(_swap),
    "line-blank": _lines(lambda lines, place, draw: lines.insert(place, draw.choice((b"\n", b"  \n", b"\t\n")))),
    "value-odd": _value(_set_odd),
    "value-gone": _value(_delete),
    "key-renamed": _value(_rename),
    "number": _replaced(_NUMBER, NASTY),
    "text": _replaced(_TEXT, NASTY),
    "word": _replaced(_WORD, (*NASTY, b"-", b"*", b"(", b")", b"(00)", b"(0|(0", b"a:b:c", b"\\")),
    "key-twice": repeat_key,
    "not-utf8": _inserted(lambda draw: draw.choice((b"\xff", b"\xc3", b"\xed\xa0\xbd", b"\xf8\x88\x80\x80\x80"))),
    "control": _inserted(lambda draw: draw.choice((b"\0", b"\x1b[31m", b"\x07", b"\r", b"\x0c", b"\x85", b"\x7f"))),
    "odd-unicode": _inserted(lambda draw: draw.choice(("\u2028", "\u202e", "\ufeff", "\u0301" * 50)).encode()),
    "spaces": _inserted(lambda draw: draw.choice((b" ", b"\t", b" \t")) * draw.choice((1, 400, 5000))),
    "long": _inserted(lambda draw: draw.choice((b"a", b"9", b"a ", b'"', b"(0|", b"\t")) * draw.choice((5000, 10**6))),
    "deep": _inserted(lambda draw: draw.choice((b"[", b'{"a":', b"- ", b"(", b"{")) * draw.choice((600, 100_000))),
    "deep-whole": lambda content, draw: draw.choice(
        (b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"- " * 2000 + b"1")
    ),
    "aliases": lambda content, draw: draw.choice((_BOMB + content, b"x: &x [*x]\n" + content, _BOMB, b"&a [*a, *a]")),
    "doubled": lambda content, draw: content * draw.choice((2, 3)),
}  # fmt: skip


def mutate(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    """The name of a change, or of two after each other, and the changed content."""
    name = draw.choice(list(CHANGES))
    content = CHANGES[name](content, draw)
    if draw.random() < 0.1:
        second = draw.choice(("bits", "cut", "number", "word", "value-odd"))
        return f"{name}+{second}", CHANGES[second](content, draw)
    return name, content


def mutate_parquet(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    """Columns of other types, with holes, gone or too many; or other bytes."""
    if draw.random() < 0.4:
        return mutate(content, draw)
    import pandas as pd

    rows = pd.read_parquet(io.BytesIO(content))
    column = draw.choice(list(rows.columns))
    odd: dict[str, Any] = {
        "numbers": range(len(rows)),
        "nothing": None,
        "lists": [[1]] * len(rows),
        "nan": float("nan"),
        "inf": float("inf"),
        "text": "x",
        "long": "a" * 10_000,
        "bytes": b"\xff",
        "json-deep": "[" * 100_000,
        "json-number": "9" * 5000,
        "json-odd": draw.choice(('{"a": 1}', "[[0, 1]]", "null", '"\\ud83d"', "[[9999999999, 1, 2]]", '["x"]')),
        "dates": pd.Timestamp("2024-01-01"),
    }
    name = draw.choice(("gone", "cell", "twice", "no-rows", "half", *odd))
    if name == "gone":
        rows = rows.drop(columns=column)
    elif name == "cell":
        rows[column] = rows[column].astype(object)
        rows.iat[draw.randrange(len(rows)), list(rows.columns).index(column)] = None
    elif name == "twice":
        rows = pd.concat([rows, rows])
    elif name == "no-rows":
        rows = rows.iloc[:0]
    elif name == "half":
        rows = rows.iloc[: len(rows) // 2]
    else:
        rows[column] = odd[name]
    return f"column-{name}", rows.to_parquet(None)


def bomb(pattern: bytes, num_bytes: int) -> bytes:
    """Gzip of a repeated text, of about a thousandth of its size: members after each other are one file."""
    member = pattern * (4_000_000 // len(pattern))
    return gzip.compress(member, 6) * (num_bytes // len(member))


def mutate_gzip(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    """The content packed, then damaged or followed by something else."""
    packed = gzip.compress(content, mtime=0)
    name = draw.choice(("bits", "cut", "empty", "not-gzip", "tail", "twice", "mutated"))
    if name == "mutated":
        inner, content = mutate(content, draw)
        return f"gzip-of-{inner}", gzip.compress(content, 1)
    packed = {
        "bits": lambda: flip_bits(packed, draw),
        "cut": lambda: packed[: draw.randrange(len(packed))],
        "empty": lambda: b"",
        "not-gzip": lambda: content,
        "tail": lambda: packed + draw.choice((b"\0" * 100, b"junk", packed[:20])),
        "twice": lambda: packed + packed,
    }[name]()
    return f"gzip-{name}", packed


def _reversed_lines(content: bytes) -> bytes:
    return b"".join(reversed(content.splitlines(keepends=True)))


def _json_spaces(content: bytes) -> bytes:
    return json.dumps(json.loads(content), indent=3, ensure_ascii=False).replace("\n", "\r\n").encode()


def _json_keys(content: bytes) -> bytes:
    return json.dumps(json.loads(content), sort_keys=True).encode()


#: Changes that keep the meaning: of every text; of JSON; of files whose lines have no order.
SAME_MEANING: dict[str, dict[str, Callable[[bytes], bytes]]] = {
    "text": {
        "crlf": lambda content: content.replace(b"\n", b"\r\n"),
        "no-last-newline": lambda content: content.rstrip(b"\n"),
        "bom": lambda content: b"\xef\xbb\xbf" + content,
    },
    "json": {"json-spaces": _json_spaces, "json-keys": _json_keys},
    "lines": {"lines-reversed": _reversed_lines},
}
