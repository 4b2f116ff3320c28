"""A document, and how well it was predicted."""

from __future__ import annotations

import json

from atinuke_bench.metrics.display import Display, Example, ShownAnswer


class LmDisplay(Display):
    """Losses in words; nothing of the text is marked.

    >>> LmDisplay().answer({}, '{"nats": 12.0, "scored": 4, "right": 1}', '{"bytes": 9}').text
    '3.000 nats a token, 25.0 % of 4 tokens right'
    """

    def right(self, example: Example, gold: str) -> ShownAnswer:
        return ShownAnswer(f"{json.loads(gold)['bytes']:,} bytes")

    def answer(self, example: Example, prediction: str, gold: str) -> ShownAnswer:
        sums = json.loads(prediction)
        nats, scored, right = (float(sums[name]) for name in ("nats", "scored", "right"))
        if scored <= 0:
            return ShownAnswer("no token was scored")
        return ShownAnswer(
            f"{nats / scored:.3f} nats a token, {100 * right / scored:.1f} % of {scored:,.0f} tokens right"
        )
