"""Numbers as texts for readers, in the terminal and in reports."""

from __future__ import annotations

import math

MISSING = "–"


def number(value: float | None, digits: int = 2, *, sign: bool = False, unit: str = "") -> str:
    """A figure; a dash where there is none.

    >>> number(3.14159), number(None), number(float("nan")), number(-0.5, sign=True), number(1234567, 0)
    ('3.14', '–', '–', '-0.50', '1,234,567')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    return (f"{value:+,.{digits}f}" if sign else f"{value:,.{digits}f}") + unit


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
