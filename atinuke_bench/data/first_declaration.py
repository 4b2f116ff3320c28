"""A survey as the first YAML file of a task, with comments for what a user may change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

import yaml

from atinuke_bench import registry
from atinuke_bench.config.declarations import Kind
from atinuke_bench.config.schemas import schema_comment
from atinuke_bench.data.survey import Survey
from atinuke_bench.errors import ConfigError
from atinuke_bench.files import make_folder, write_text


def write_first(survey: Survey, data: Path | None, out: Path, *, replace: bool = False) -> None:
    """Write a survey as YAML; ConfigError where a file is there already that may not be replaced.

    `data` is the surveyed file, below or beside whose folder patterns begin; None for a data set on the Hub.
    """
    if out.exists() and not replace:
        raise ConfigError(f"{out}: is there already; --out FILE names another, --force replaces it")
    make_folder(out.parent)
    folder = None if data is None else Path(os.path.relpath(data.absolute().parent, out.absolute().parent))
    write_text(out, as_yaml(survey, "." if folder is None else folder.as_posix(), out))


def as_yaml(survey: Survey, folder: str, out: Path) -> str:
    """The text of the file; `folder` is that of the data as seen from the file's."""
    splits: dict[str, Any] = dict(survey.splits)
    lines = [
        schema_comment("task"),
        f"# A first guess. Change what is wrong, then: atinuke-bench task check {out.name}",
        _line("name", survey.name),
        _line("kind", survey.kind, f"or {', '.join(kind for kind in get_args(Kind) if kind != survey.kind)}"),
    ]
    lines += [_line(name, value) for name, value in survey.hub.items()]
    if folder != ".":
        lines.append(_line("folder", folder, "where the files lie, from this file's folder"))
    note = "splits of the data set" if survey.hub else "files, or patterns such as part-*.csv"
    rest = "" if len(splits) > 1 else "; dev is cut from train where no other split is named"
    lines.append(_line("splits", splits, note + rest))
    if survey.fields:
        listed = " ".join(", ".join(survey.columns).split())
        there = f"; columns: {listed[:200]}" if listed else ""
        note = f"what the kind calls a field: what the data calls it{there}"
        lines.append(_line("fields", dict(survey.fields), note))
    if metrics := registry.metric_names(survey.kind):
        listed = ", ".join(f"{name} (of the label in `positive`)" if name == "f1" else name for name in metrics[1:])
        lines.append(f"# metric: {metrics[0]}" + (f"  # or {listed}" if listed else ""))
    if survey.kind == "classification":
        lines.append("# labels: [A, B]  # all labels in order; those of train when not given")
    return "\n".join(lines) + "\n"


def _line(name: str, value: Any, comment: str = "") -> str:
    """One line of YAML, a mapping in braces."""
    inside = value if isinstance(value, dict) else [value]
    text = yaml.safe_dump(inside, default_flow_style=True, sort_keys=False, allow_unicode=True, width=100_000).strip()
    return f"{name}: {text if isinstance(value, dict) else text[1:-1]}" + (f"  # {comment}" if comment else "")
