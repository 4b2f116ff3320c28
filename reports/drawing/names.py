"""Names of variants, short enough for tables and figures and still told apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

#: Letters of a short name.
MOST_LETTERS = 32


def short(text: object, most: int = MOST_LETTERS) -> str:
    """Text of at most so many letters; names of variants differ at their ends, so that the middle is left out.

    >>> short("atinuke-micro[dropout=0.2,causal=false]", 24)
    'atinuke-micr…usal=false]'
    """
    text = str(text)
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def short_names(names: Iterable[str], most: int = MOST_LETTERS) -> dict[str, str]:
    """A short name for each, which no other one has: settings that all of a core's variants share are left out.

    >>> names = [f"micro[dropout={rate},positions=rotary,causal=true]" for rate in (0.1, 0.2)]
    >>> list(short_names([*names, "bilstm"]).values())
    ['micro[dropout=0.1,…]', 'micro[dropout=0.2,…]', 'bilstm']
    """
    names = list(dict.fromkeys(names))
    parts = {name: re.fullmatch(r"(.*?)( ?[\[{])(.*)([\]}])", name, re.DOTALL) for name in names}
    groups: dict[tuple[str, str], list[list[str]]] = {}
    for found in parts.values():
        if found is not None:
            groups.setdefault((found[1], found[2]), []).append(re.split(", ?", found[3]))
    shared = {key: set.intersection(*map(set, own)) if len(own) > 1 else set() for key, own in groups.items()}
    shorter: dict[str, str] = {}
    for name, found in parts.items():
        text = name
        if len(name) > most and found is not None and (common := shared[found[1], found[2]]):
            own = [setting for setting in re.split(", ?", found[3]) if setting not in common]
            text = f"{found[1]}{found[2]}{','.join([*own, '…'])}{found[4]}"
        shorter[name] = short(text, most)
    counts = Counter(shorter.values())
    return {name: text if counts[text] == 1 else name for name, text in shorter.items()}
