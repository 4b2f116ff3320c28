"""Numbers and foreign texts for readers, in the terminal and in reports."""

from __future__ import annotations

import math
import re

MISSING = "–"
#: Characters of an error's message at most: one that quotes a whole file is cut in its middle.
MOST_CHARACTERS = 400
#: What steers a terminal or turns the direction of writing, ends a line, or is half of a character.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    r"""A text from elsewhere with every character that a terminal would act on as its escape, as in JSON.

    >>> print(visible("red \x1b[31m and \u202e backwards, é stays"))
    red \u001b[31m and \u202e backwards, é stays
    """
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def one_short_line(text: str) -> str:
    r"""A message as one visible line; what is longer than 400 characters loses its middle.

    >>> print(one_short_line("found \0\n  in line 2"), len(one_short_line("9" * 5000)))
    found \u0000 in line 2 400
    """
    line = visible(" ".join(part.strip() for part in text.splitlines() if part.strip()))
    if len(line) <= MOST_CHARACTERS:
        return line
    # The rule stands at the beginning, and the nearest choice at the end.
    head = 2 * MOST_CHARACTERS // 3
    tail = MOST_CHARACTERS - head - len(" … ")
    return f"{line[:head]} … {line[-tail:]}"


def number(value: float | None, digits: int = 2, *, sign: bool = False, unit: str = "") -> str:
    """A figure; a dash where there is none.

    >>> number(3.14159), number(None), number(float("nan")), number(-0.5, sign=True), number(1234567, 0)
    ('3.14', '–', '–', '-0.50', '1,234,567')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    return (f"{value:+,.{digits}f}" if sign else f"{value:,.{digits}f}") + unit


def with_spread(value: float | None, spread: float | None) -> str:
    """A figure with its spread, if there is one.

    >>> with_spread(84.25, 0.5), with_spread(84.25, None)
    ('84.25 ± 0.50', '84.25')
    """
    known = spread is not None and math.isfinite(spread)
    return f"{number(value)} ± {number(spread)}" if known else number(value)


def figure(value: int | float | None) -> str:
    """A figure of any size: whole numbers and thousands without decimals, small numbers with three digits that count.

    >>> figure(121347), figure(87218.96), figure(5.41), figure(0.0004567), figure(0.0), figure(None)
    ('121,347', '87,219', '5.41', '0.000457', '0.00', '–')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value == 0 or abs(value) >= 0.1 else f"{value:.3g}"


def p_value(p: float | None) -> str:
    """A p value of four digits, and never one of zero.

    >>> p_value(0.0123), p_value(1e-9), p_value(None)
    ('0.0123', '<0.0001', '–')
    """
    return "<0.0001" if p is not None and p < 0.0001 else number(p, 4)


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(59.6), duration(250), duration(7_300)
    ('1 min 00 s', '4 min 10 s', '2 h 01 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def num_bytes(number: float) -> str:
    """A number of bytes as people say it.

    >>> num_bytes(900), num_bytes(12_345_678), num_bytes(4e12)
    ('900 B', '12.3 MB', '4.0 TB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
