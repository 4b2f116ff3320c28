"""Language modelling: the projection of the paper's architecture, and the pretraining of every core.

A causal core predicts the next token of held-out text, scored in bits per byte. A bidirectional one would see the
answer; it predicts tokens that are hidden from it (Devlin et al. 2019), scored by their mean loss. The objective is
part of the protocol, so that no table has both figures in one column.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from atinuke_bench.config import Declaration, RunConfig, TokenizerConfig
from atinuke_bench.errors import ConfigError
from atinuke_bench.tasks.lm.data import FEATURES, LmData
from atinuke_bench.tasks.lm.floor import unigrams
from atinuke_bench.tasks.lm.inputs import LmInputs
from atinuke_bench.tasks.lm.metric import BITS_PER_BYTE, MASKED_LOSS
from atinuke_bench.tasks.lm.model import LmModel, LmOptions
from atinuke_bench.training.task import Task, as_declared, options_of, require_unset

CAUSAL = LmData("causal")


def for_objective(task: Task, run: RunConfig) -> Task:
    """The task with the objective of a run; ConfigError where its core cannot have it."""
    core = run.core
    if core.has_tokenizer:
        raise ConfigError(
            f"task {task.name!r} trains cores that take its tokenizer; {core.label()} brings its own; "
            "nearest: another task, or core 'transformer'"
        )
    asked = options_of(run, LmOptions).objective
    is_causal = core.is_floor or bool(getattr(core, "causal", False))
    if asked == "causal" and not is_causal:
        raise ConfigError(
            f"options.objective: causal needs a core that sees no later token; {core.label()} sees the token "
            "it would predict; nearest: options.objective=masked"
            + (", or core.causal=true" if hasattr(core, "causal") else "")
        )
    if asked == "causal" or (asked == "auto" and is_causal):
        return task  # as it is declared
    assert isinstance(task.data, LmData), "a language model has running text"
    data = replace(task.data, objective="masked")
    masked = replace(task, metric=MASKED_LOSS, data=data, model=LmModel("masked"), floor=partial(unigrams, data))
    # A loss of tokens compares models whose tokens are the same; bits per byte do not depend on them.
    return replace(masked, protocol_fields=tuple(f"tokenizer.{name}" for name in TokenizerConfig.model_fields))


LM = Task(
    name="lm",
    family="lm",
    summary="next token (causal cores) or hidden tokens (bidirectional cores) of running text",
    features=FEATURES,
    metric=BITS_PER_BYTE,
    data=CAUSAL,
    model=LmModel("causal"),
    floor=partial(unigrams, CAUSAL),
    inputs=LmInputs(),
    causal_view="a token is predicted from those before it, which is the task of a causal core",
    options_class=LmOptions,
    result_version=2,
    protocol_options=("objective",),
    training={"max_length": 128, "batch_tokens": 2048, "max_epochs": 10, "learning_rate": 2e-3},
    variant=for_objective,
)


def from_declaration(declaration: Declaration) -> Task:
    """A task of kind `lm`: running text in files, or in the rows of tables."""
    require_unset(declaration, "labels", "positive", "reader")
    data = LmData("causal", declaration)
    return as_declared(
        LM,
        declaration,
        "declared text, next or hidden tokens",
        metric=LM.metric,  # until a run's objective is known
        data=data,
        floor=partial(unigrams, data),
        variant=for_metric,
    )


def for_metric(task: Task, run: RunConfig) -> Task:
    """The task with the objective of a run, which is that of the declared metric; ConfigError where they differ."""
    named = None if run.declaration is None else run.declaration.metric
    found = for_objective(task, run)
    if named not in (None, found.metric.name):
        objective = "causal" if named == BITS_PER_BYTE.name else "masked"
        raise ConfigError(
            f"metric: {named} is of objective {objective}; core {run.core.label()} has {found.metric.name}; "
            f"nearest: options.objective={objective}, or metric: {found.metric.name}"
        )
    return found
