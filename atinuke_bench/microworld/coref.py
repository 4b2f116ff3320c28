"""Coreference documents, from stories."""

from __future__ import annotations

from typing import Any

from .story import Story


def coref_row(story: Story, identifier: str) -> dict[str, Any]:
    """One document: every phrase for a person, a thing or a place is a mention, singletons included."""
    text = story.text
    clusters: dict[int, list[list[int]]] = {}
    for first, last, entity in sorted(text.mentions, key=lambda mention: (mention[0], -mention[1])):
        clusters.setdefault(entity.ident, []).append([first, last])
    return {
        "id": identifier,
        "name": f"microworld/{identifier}",
        "part": -1,
        "header": f"#begin document (microworld/{identifier});",
        "words": text.words,
        "sentence_lengths": text.sentence_lengths,
        "speakers": [],
        "pos": [],
        "clusters": list(clusters.values()),
        # Nothing reads it; fingerprints of generated data are taken from whole rows, and would change without it.
        "keeps_singletons": True,
    }
