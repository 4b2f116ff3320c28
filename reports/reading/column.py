"""The key of what may be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Column:
    """Runs of one task whose protocol, split and metric, of which `digest` is made, are the same.

    >>> str(Column("snli", "0a1b2c3d"))
    'snli 0a1b2c3d'
    """

    task: str
    digest: str

    @classmethod
    def of(cls, task: str, protocol: Mapping[str, Any], split: str, metric: str) -> Column:
        """The column of a run."""
        text = json.dumps([protocol, split, metric], sort_keys=True)
        return cls(task, hashlib.sha256(text.encode()).hexdigest()[:8])

    def __str__(self) -> str:
        return f"{self.task} {self.digest}"
