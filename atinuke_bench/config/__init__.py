"""What determines a run: frozen pydantic models, validated once, at the boundary.

Letters: a *preset* is a named set of dimensions; an *override* is a dotted path into `RunConfig` with its value.
"""

from atinuke_bench.config.base import Frozen, parse, parse_override
from atinuke_bench.config.cores import (
    AtinukeConfig,
    AttentionConfig,
    BiLSTMConfig,
    CoreConfig,
    MajorityConfig,
    Positions,
    PresetTraining,
    PretrainedConfig,
    TransformerConfig,
    core_config_class,
    is_floor,
)
from atinuke_bench.config.declarations import Declaration, files_that_fit, find_task, is_task_file, read_declaration
from atinuke_bench.config.factors import with_factors
from atinuke_bench.config.pretraining import Pretraining
from atinuke_bench.config.recipes import PublishedRow, Recipe, parse_recipe
from atinuke_bench.config.runs import (
    MOST_SEED,
    InitConfig,
    MicroworldConfig,
    RunConfig,
    SourceConfig,
    TokenizerConfig,
    changed_run,
    make_run_config,
)
from atinuke_bench.config.suites import (
    CoreVariant,
    StudyOrigin,
    StudyRank,
    SuiteConfig,
    VariantOrigin,
    with_task_files,
)
from atinuke_bench.config.train_limits import with_train_limits
from atinuke_bench.config.training import TrainingConfig
from atinuke_bench.config.written import is_finite_number, number_in_text, read_named_yaml, read_yaml

__all__ = [
    "MOST_SEED",
    "AtinukeConfig",
    "AttentionConfig",
    "BiLSTMConfig",
    "CoreConfig",
    "CoreVariant",
    "Declaration",
    "Frozen",
    "InitConfig",
    "MajorityConfig",
    "MicroworldConfig",
    "Positions",
    "PresetTraining",
    "PretrainedConfig",
    "Pretraining",
    "PublishedRow",
    "Recipe",
    "RunConfig",
    "SourceConfig",
    "StudyOrigin",
    "StudyRank",
    "SuiteConfig",
    "TokenizerConfig",
    "TrainingConfig",
    "TransformerConfig",
    "VariantOrigin",
    "changed_run",
    "core_config_class",
    "files_that_fit",
    "find_task",
    "is_finite_number",
    "is_floor",
    "is_task_file",
    "make_run_config",
    "number_in_text",
    "parse",
    "parse_override",
    "parse_recipe",
    "read_declaration",
    "read_named_yaml",
    "read_yaml",
    "with_factors",
    "with_task_files",
    "with_train_limits",
]
