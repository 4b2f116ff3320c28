"""Synthetic run folders, written without any training."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from atinuke_bench.reports.drawing.style import Plot

COST = {"parameters": 1000, "training_flops": 1e9, "training_seconds": 2.0, "tokens_per_second": 500.0}


def write_run(
    store: Path,
    core: str = "atinuke",
    *,
    task: str = "snli",
    seed: int = 0,
    right: float = 0.7,
    num: int = 300,
    label: str | None = None,
    config: str = "training:\n  learning_rate: 0.001\n",
    edit: dict[str, Any] | None = None,
    answers: tuple[str, str] = ("1", "0"),
    **protocol: Any,
) -> Path:
    """A finished run over `num` examples, of which the share `right` is answered well."""
    label = label or f"{core}-nano"
    name = re.sub(r"[/<>]", "_", f"{label}-{seed}-{len(config)}")
    folder = store / re.sub(r"[<>]|/(?=script)", "_", task) / core / name
    folder.mkdir(parents=True)
    score = _write_predictions(folder, np.random.default_rng([seed, len(label)]), right, num, answers)
    own = {
        "task": task,
        "is_cut": False,
        "source": "local",
        "selection": "held-out",
        "pretraining": "none",
        "train_size": 100,
        **protocol,
    }
    result = {
        "schema": 1,
        "task": task,
        "core": core,
        "core_label": label,
        "seed": seed,
        "identity": str(folder.relative_to(store)),
        "score": score,
        "metric": "accuracy",
        "higher_is_better": True,
        "split": "test",
        "interval": None,
        "scores": {"test": {"accuracy": score}},
        "slices": {"test": {"gold label": {"0": {"accuracy": 50.0, "num": 9}, "1": {"accuracy": 60.0, "num": 8}}}},
        "protocol": own,
        "selection": {"num_epochs": 2},
        "cost": {} if core == "majority" else {**COST, "training_flops": 1e9 * len(label)},
        "seconds": 1.0,
    }
    result |= edit or {}
    (folder / "config.yaml").write_text(f"task: {task}\n{config}seed: {seed}\n")
    epochs = [{"epoch": n, "loss": 1.0 - n / 10, "score": 50.0 + n} for n in range(2)]
    (folder / "history.jsonl").write_text("".join(json.dumps(epoch) + "\n" for epoch in epochs))
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def _write_predictions(
    folder: Path, source: np.random.Generator, right: float, num: int, answers: tuple[str, str]
) -> float:
    """Predictions of which the share `right` is right, by difficulties that all runs share; their accuracy."""
    scores = np.random.default_rng(7).normal(size=num) + source.normal(size=num)
    is_right = scores < np.quantile(scores, right)
    gold = np.where(np.arange(num) % 2 == 0, *answers)
    prediction = np.where(is_right, gold, np.where(gold == answers[0], *reversed(answers)))
    rows = {"split": "test", "id": [f"t-{n}" for n in range(num)], "prediction": prediction, "gold": gold}
    pd.DataFrame({**rows, "score": is_right.astype(float)}).to_parquet(folder / "predictions.parquet")
    return 100 * float(is_right.mean())


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are blank, for tests of what a report says: drawing them takes most of its time."""
    blank = Plot("blank", "A blank figure", "<svg></svg>", b"png", b"pdf")
    for module in ("drawing.once", "sections.figures"):
        monkeypatch.setattr(f"atinuke_bench.reports.{module}.kept_plot", lambda *_: blank)


@pytest.fixture(scope="session", name="write_run")
def _write_run() -> Callable[..., Path]:
    return write_run
