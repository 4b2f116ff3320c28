"""Files of tagged words, as conlleval reads them: word, right tag, predicted tag."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset

from atinuke_bench.config import RunConfig
from atinuke_bench.errors import DataError
from atinuke_bench.files import write_text
from atinuke_bench.metrics.metric import Answers, Metric
from atinuke_bench.tasks.tagging.chunks import split_tag
from atinuke_bench.tasks.tagging.columns import Columns, read_columns
from atinuke_bench.tasks.tagging.metric import SEQEVAL_F1
from atinuke_bench.training.capabilities import OfficialFiles

#: What a cell cannot hold; words of JSON may.
_BREAKS = re.compile(r"[\t\r\n]")


@dataclass(frozen=True)
class TaggingFiles(OfficialFiles):
    """Columns parted by tabs, of which conlleval reads the last two (`conlleval.pl -d '\\t'`)."""

    metric: Metric
    #: Where a gold file has its words and tags; a file of predictions has them first and last.
    columns: Columns

    def write(
        self, folder: Path, split: str, examples: Dataset, predictions: Mapping[str, Sequence[str]], run: RunConfig
    ) -> None:
        """`<split>.conll`; without right tags it has two columns."""
        sentences = []
        for id_, words, tags in zip(examples["id"][:], examples["words"][:], examples["tags"][:], strict=True):
            columns = [words, tags, predictions[id_]] if tags else [words, predictions[id_]]
            lines = ("\t".join(map(_cell, cells)) + "\n" for cells in zip(*columns, strict=True))
            sentences.append("".join(lines))
        write_text(folder / f"{split}.conll", "\n".join(sentences))

    def score(self, gold: Path, predictions: Path) -> dict[str, Any]:
        ours, theirs = list(read_columns(gold, self.columns)), list(read_columns(predictions, Columns()))
        for (line, one), (other_line, other) in zip(ours, theirs, strict=False):
            if one["words"] != other["words"]:
                problem = f"sentences have the words of the gold file ({gold}:{line}); found {other['words'][:3]}"
                raise DataError(problem, path=predictions, line=other_line)
        if len(ours) != len(theirs):
            raise DataError(f"the gold file has {len(ours)} sentences; found {len(theirs)}", path=predictions)
        if self.metric.name == SEQEVAL_F1.name:
            _require_chunks(gold, ours)
            _require_chunks(predictions, theirs)
        ids = [str(number) for number in range(len(ours))]
        answers = Answers(ids, [one["tags"] for _, one in theirs], [one["tags"] for _, one in ours])
        return dict(self.metric.measure(answers).figures)


def _cell(text: str) -> str:
    """A word as one cell of one line."""
    return _BREAKS.sub(" ", text).strip(" ") or "_"


def _require_chunks(path: Path, sentences: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
    for _, sentence in sentences:
        for line, tag in zip(sentence["lines"], sentence["tags"], strict=True):
            try:
                split_tag(tag)
            except ValueError as error:
                raise DataError(str(error), path=path, line=line, field="tags") from error
