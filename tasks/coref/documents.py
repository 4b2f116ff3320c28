"""A document as a canonical example, and as a document of CoNLL-2012 again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from datasets import Dataset, Features, List, Value

from atinuke_bench.data.conll.read import Document, Sentence
from atinuke_bench.data.conll.spans import Mention
from atinuke_bench.tasks.coref.clusters import Clusters

FEATURES = Features(
    {
        "id": Value("string"),
        "name": Value("string"),
        "part": Value("int32"),  # -1 where the file gives none
        "header": Value("string"),
        "words": List(Value("string")),
        "sentence_lengths": List(Value("int32")),
        "speakers": List(Value("string")),  # one a word, or empty
        "pos": List(Value("string")),  # one a word, or empty
        "clusters": List(List(List(Value("int32")))),  # (first word, last word) of each mention
    }
)


def as_dataset(documents: Iterable[Document]) -> Dataset:
    """Documents as examples; the id is the name and, where there is one, the part."""
    columns: dict[str, list[Any]] = {name: [] for name in FEATURES}
    for document in documents:
        example = {
            "id": document.name if document.part is None else f"{document.name}#{document.part}",
            "name": document.name,
            "part": -1 if document.part is None else document.part,
            "header": document.header,
            "words": document.words,
            "sentence_lengths": [len(sentence.words) for sentence in document.sentences],
            "speakers": [speaker for sentence in document.sentences for speaker in sentence.speakers],
            "pos": [tag for sentence in document.sentences for tag in sentence.pos],
            "clusters": document.clusters,
        }
        for name, value in example.items():
            columns[name].append(value)
    return Dataset.from_dict(columns, features=FEATURES)


def answered(example: Mapping[str, Any], clusters: Clusters) -> Document:
    """The document of an example, with these clusters as its annotation."""
    mentions = (Mention(start, end, number) for number, cluster in enumerate(clusters) for start, end in cluster)
    part = None if example["part"] < 0 else example["part"]
    sentences = tuple(Sentence(tuple(words)) for words in sentences_of(example))
    return Document(example["name"], part, sentences, tuple(mentions), header=example["header"])


def sentences_of(example: Mapping[str, Any]) -> list[list[str]]:
    """The words of each sentence.

    >>> sentences_of({"words": ["Hello", ".", "Bye"], "sentence_lengths": [2, 1]})
    [['Hello', '.'], ['Bye']]
    """
    words, sentences, start = example["words"], [], 0
    for length in example["sentence_lengths"]:
        sentences.append(words[start : start + length])
        start += length
    return sentences
