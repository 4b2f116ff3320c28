"""The published record: figures of other systems, each with what they were measured by and where they were read.

One CSV file a family in `reports/published/`. What a source does not state is empty; nothing is filled in from memory.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from atinuke_bench.config.base import Frozen, parse
from atinuke_bench.errors import ConfigError

_NOT_STATED = BeforeValidator(lambda value: None if value == "" else value)
_GITHUB = re.compile(r"github\.com/([\w.-]+/[\w.-]+): (\S+)")
_ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")


class Published(Frozen):
    """A published figure, or with `kind: claim` a claim that has none. Percentages; None or empty is "not stated"."""

    task: str = Field(min_length=1)
    #: Of the data, where a task has several: `1.1`, `CoNLL-2012`, `CoNLL-2005`, `LitBank`.
    version: str = ""
    split: Literal["train", "dev", "test", ""]
    #: The part of the split: `matched`, `mismatched`, `wsj`, `brown`, `combined`, `10-fold`.
    subset: str = ""
    #: As the harness calls the figure.
    metric: str = ""
    value: Annotated[float | None, _NOT_STATED] = Field(None, ge=-100, le=100)
    spread: Annotated[float | None, _NOT_STATED] = Field(None, ge=0)
    spread_kind: Literal["std", "range", "ci95", "iqr", "stderr", ""] = ""
    #: How many runs the figure is of.
    seeds: Annotated[int | None, _NOT_STATED] = Field(None, ge=1)
    statistic: Literal["mean", "median", "best", "single", ""] = ""
    system: str = Field(min_length=1)
    kind: Literal["result", "human", "majority", "claim"]
    #: In millions.
    parameters: Annotated[float | None, _NOT_STATED] = Field(None, gt=0)
    pretraining: Literal[
        "none", "static vectors", "contextual vectors", "masked", "causal", "replaced token", "span", "permutation",
        "seq2seq", "distilled", "other", "",
    ] = ""  # fmt: skip
    pretraining_data: str = ""
    #: Checkpoint that was fine-tuned, as its source names it.
    model: str = ""
    #: What was learned between pretraining and the task: `none`, `from mnli`, `multi-task`.
    transfer: str = ""
    composition: Literal["single", "ensemble", ""] = ""
    #: `full`, or the fraction of the train data.
    data: str = ""
    year: Annotated[int | None, _NOT_STATED] = Field(None, ge=1990, le=2100)
    #: `arXiv 1810.04805`, `github.com/owner/repository: path`, or an address.
    source: str
    #: Table, row or section.
    place: str = Field(min_length=1)
    #: `primary`, or `secondary: ` and what was read instead of the system's own source.
    read: str = Field(pattern=r"^(primary|secondary: .+)$")
    note: str = ""

    @field_validator("source")
    @classmethod
    def _leads_somewhere(cls, source: str) -> str:
        if link_of(source) is None:
            raise ValueError(
                f"source is an arXiv number, github.com/owner/repository: path, or an address; found {source!r:.80}"
            )
        return source

    @model_validator(mode="after")
    def _is_whole(self) -> Published:
        if self.kind == "claim":
            if self.value is not None:
                raise ValueError("a claim has no value; a figure is of kind result")
        elif self.value is None or not self.split or not self.metric:
            raise ValueError("a figure has a value, a split and a metric")
        if self.spread_kind and self.spread is None:
            raise ValueError(f"spread_kind {self.spread_kind} needs a spread")
        return self

    @property
    def where(self) -> str:
        """Version, split and part, for readers."""
        return " ".join(filter(None, (self.version, self.split, self.subset)))

    @property
    def link(self) -> str:
        """The address of the source."""
        return link_of(self.source) or ""


def link_of(source: str) -> str | None:
    """The address that a source is found at; None for text that names no source.

    >>> link_of("arXiv 1810.04805"), link_of("github.com/a/b: docs/README.md")
    ('https://arxiv.org/abs/1810.04805', 'https://github.com/a/b/blob/HEAD/docs/README.md')
    """
    if found := _ARXIV.fullmatch(source):
        return f"https://arxiv.org/abs/{found[1]}"
    if found := _GITHUB.fullmatch(source):
        return f"https://github.com/{found[1]}/blob/HEAD/{found[2]}"
    return source if re.fullmatch(r"https?://[^\s\"'<>]+", source) else None


def read_published(own: Iterable[Path] = ()) -> list[Published]:
    """The record that comes with the package, and a user's own files of the same columns; ConfigError."""
    return [*_ours(), *(row for path in own for row in _rows(path))]


@cache
def _ours() -> tuple[Published, ...]:
    folder = Path(str(resources.files("atinuke_bench.reports"))) / "published"
    return tuple(row for path in sorted(folder.glob("*.csv")) for row in _rows(path))


def _rows(path: Path) -> list[Published]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines: list[dict[Any, Any]] = list(csv.DictReader(file, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read as a table ({error})") from error
    return [parse(Published, _whole(line, f"{path}: row {n}"), f"{path}: row {n}") for n, line in enumerate(lines, 1)]


def _whole(line: dict[Any, Any], where: str) -> dict[str, Any]:
    if None in line or None in line.values():
        raise ConfigError(f"{where}: has not as many cells as the first line has names")
    return line
