"""SuperGLUE's official jsonl files, as far as fields alone cannot describe them: from a file to its records.

BoolQ, CB and RTE need no reader: their fields are texts and a label. Of the others each record that a reader yields is
an example, with the number of its line. Letters: the *index* of an example is its `idx` in the official file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from atinuke_bench.data.records import Numbered, read_table
from atinuke_bench.errors import DataError, nearest

#: The question of COPA in words, by the one that the file has.
_ASKED = {"cause": "What was the cause of this?", "effect": "What happened as a result?"}


def read_copa(path: Path) -> Iterator[Numbered]:
    """The two choices as a list, and in words whether the cause or the effect of the premise is asked for."""
    for line, record in read_table(path):
        asked = _get(record, "question", str, path, line)
        if asked not in _ASKED:
            raise DataError(f"must be cause or effect; found {asked!r:.60}", path=path, line=line, field="question")
        choices = [_get(record, name, str, path, line) for name in ("choice1", "choice2")]
        yield line, {**record, "question": _ASKED[asked], "choices": choices, "label": record.get("label")}


def read_multirc(path: Path) -> Iterator[Numbered]:
    """An example for each answer to a question: the paragraph, and beside it the question with the answer.

    The paragraph comes first, since of a pair that is too long the longer text is cut. The id is
    `<paragraph>-<question>-<answer>`, of indices.
    """
    for line, record in read_table(path):
        passage = _get(record, "passage", dict, path, line)
        paragraph = _get(passage, "text", str, path, line)
        for question in _objects(passage, "questions", path, line):
            asked = _get(question, "question", str, path, line)
            for answer in _objects(question, "answers", path, line):
                places = [str(_index(one, path, line)) for one in (record, question, answer)]
                yield (
                    line,
                    {
                        "id": "-".join(places),
                        "paragraph": paragraph,
                        "question and answer": f"{asked} {_get(answer, 'text', str, path, line)}",
                        "label": answer.get("label"),
                    },
                )


def read_record(path: Path) -> Iterator[Numbered]:
    """An example for each query: its choices are the passage's entities, each text once, in order.

    Raises DataError for an answer that is none of the entities, as the official files have none.
    """
    for line, record in read_table(path):
        passage = _get(record, "passage", dict, path, line)
        text = _get(passage, "text", str, path, line)
        spans = _objects(passage, "entities", path, line)
        entities = list(dict.fromkeys(_span(text, span, path, line) for span in spans))
        for query in _objects(record, "qas", path, line):
            answers = None
            if "answers" in query:
                given = [_get(answer, "text", str, path, line) for answer in _objects(query, "answers", path, line)]
                answers = list(dict.fromkeys(given))
                if unknown := [answer for answer in answers if answer not in entities]:
                    problem = f"an answer is one of the passage's entities; found {unknown[0]!r:.60}"
                    raise DataError(problem, path=path, line=line, field="answers")
            yield (
                line,
                {
                    "idx": _index(query, path, line),
                    "passage": text,
                    "query": _get(query, "query", str, path, line),
                    "entities": entities,
                    "answers": answers,
                },
            )


def read_wic(path: Path) -> Iterator[Numbered]:
    """Two sentences, in each of which asterisks stand around the word whose sense is compared."""
    for line, record in read_table(path):
        marked = {}
        for number in ("1", "2"):
            text = _get(record, f"sentence{number}", str, path, line)
            start, end = (_get(record, f"{side}{number}", int, path, line) for side in ("start", "end"))
            if not 0 <= start < end <= len(text):
                rule = f"must be a place in sentence{number}, 0 to {len(text)}; found {start} to {end}"
                raise DataError(rule, path=path, line=line, field=f"start{number}")
            marked[f"sentence{number}"] = f"{text[:start]}* {text[start:end]} *{text[end:]}"
        yield line, {**record, **marked}


def read_wsc(path: Path) -> Iterator[Numbered]:
    """The text, with asterisks around the noun phrase and hashes around the pronoun, and the noun phrase beside it.

    Places count words between spaces; a phrase has as many of them as its text.
    """
    for line, record in read_table(path):
        target = _get(record, "target", dict, path, line)
        words = _get(record, "text", str, path, line).split()
        marks: dict[int, list[str]] = {}
        for name, mark in (("span1", "*"), ("span2", "#")):
            first = _get(target, f"{name}_index", int, path, line)
            end = first + len(_get(target, f"{name}_text", str, path, line).split())
            if not 0 <= first < end <= len(words):
                rule = f"must be the number of a word, 0 to {len(words) - 1}; found {first}"
                raise DataError(rule, path=path, line=line, field=f"target.{name}_index")
            for place in (first, end):
                marks.setdefault(place, []).append(mark)
        parts = [part for place in range(len(words) + 1) for part in (*marks.get(place, ()), *words[place : place + 1])]
        yield line, {**record, "marked": " ".join(parts), "phrase": target["span1_text"]}


def read_diagnostic(path: Path) -> Iterator[Numbered]:
    """RTE and both diagnostics under the same names: the broad-coverage one has sentences for premise and hypothesis.

    In the Winogender diagnostic two examples after one another are a pair, and their ids begin with its number. `drawn`
    names what examples depend on: their pair, else their premise.
    """
    previous = ""
    for number, (line, record) in enumerate(read_table(path)):
        texts = [
            _get(record, own if own in record else other, str, path, line)
            for own, other in (("premise", "sentence1"), ("hypothesis", "sentence2"))
        ]
        index = _index(record, path, line)
        if "pair_id" in record and number % 2 and texts[1] != previous:
            problem = f"the second example of a pair has the hypothesis of the first; found {texts[1]!r:.60}"
            raise DataError(problem, path=path, line=line, field="hypothesis")
        previous = texts[1]
        is_pair, pair = "pair_id" in record, number // 2
        example = {"id": f"{pair}-{index}" if is_pair else str(index), "drawn": f"pair {pair}" if is_pair else texts[0]}
        yield line, {**example, "premise": texts[0], "hypothesis": texts[1], "label": record.get("label")}


def _span(text: str, span: dict[str, Any], path: Path, line: int) -> str:
    start, last = (_get(span, side, int, path, line) for side in ("start", "end"))  # the last character is inside
    if not 0 <= start <= last < len(text):
        rule = f"must be a place in the text, 0 to {len(text) - 1}; found {start} to {last}"
        raise DataError(rule, path=path, line=line, field="entities")
    return text[start : last + 1]


def _index(record: dict[str, Any], path: Path, line: int) -> int:
    """The index of an example, which one file writes as a text."""
    value = record.get("idx")
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    return _get(record, "idx", int, path, line)


def _objects(record: dict[str, Any], field: str, path: Path, line: int) -> list[dict[str, Any]]:
    values = _get(record, field, list, path, line)
    if not all(isinstance(value, dict) for value in values):
        raise DataError(f"must be a list of objects; found {values!r:.60}", path=path, line=line, field=field)
    return values


_NOUNS = {str: "a text", int: "a whole number", dict: "an object", list: "a list"}


def _get(record: dict[str, Any], field: str, kind: type, path: Path, line: int) -> Any:
    value = record.get(field)
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    if field in record:
        raise DataError(f"must be {_NOUNS[kind]}; found {value!r:.60}", path=path, line=line, field=field)
    near = nearest(field, record)
    hint = f"nearest: {near!r}" if near is not None else f"found {', '.join(map(str, record)) or 'none'}"
    raise DataError(f"field is missing; {hint:.200}", path=path, line=line, field=field)
