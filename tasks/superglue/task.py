"""SuperGLUE (Wang et al. 2019): eight tasks and two diagnostics, each declared in a YAML file beside this one."""

from __future__ import annotations

from dataclasses import replace

from atinuke_bench.tasks.superglue.submission import OFFICIAL, SuperGlueSubmission
from atinuke_bench.training.task import Task


def complete(task: Task) -> Task:
    """A declared task with its official sizes and its part of the submission."""
    key = task.name.partition("/")[2]
    return replace(task, family="superglue", submission=SuperGlueSubmission(key), official_sizes=(OFFICIAL[key].sizes,))
