"""Coreference documents and semantic roles, from told stories."""

from __future__ import annotations

from typing import Any

from .grammar import Text
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
        "keeps_singletons": True,
    }


def srl_rows(text: Text, identifier: str) -> list[dict[str, Any]]:
    """One example a predicate, sentence after sentence, in the order of words."""
    rows, start, at = [], 0, 0
    predicates = sorted(text.predicates, key=lambda predicate: predicate.index)
    for number, length in enumerate(text.sentence_lengths):
        words, key = text.words[start : start + length], f"{identifier}-{number}"
        while at < len(predicates) and predicates[at].index < start + length:
            predicate = predicates[at]
            spans = sorted(predicate.arguments)
            rows.append(
                {
                    "id": f"{key}-{predicate.index - start}",
                    "sentence": key,
                    "words": words,
                    "lemma": predicate.lemma,
                    "predicate": predicate.index - start,
                    "starts": [first - start for first, _, _ in spans],
                    "ends": [last - start for _, last, _ in spans],
                    "roles": [role for _, _, role in spans],
                }
            )
            at += 1
        start += length
    return rows
