"""What determines a run, and how it is put together from names and overrides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, SerializeAsAny, field_validator

from atinuke_bench import registry
from atinuke_bench.config.base import Frozen, field_model, fields_hint, parse
from atinuke_bench.config.cores import CoreConfig, PresetTraining, core_config_class
from atinuke_bench.config.declarations import Declaration
from atinuke_bench.config.training import TrainingConfig
from atinuke_bench.errors import ConfigError, nearest

#: The largest seed that every generator of random numbers takes.
MOST_SEED = 2**32 - 1


#: Sentences of fewer words there are none; more than this is a typo.
Words = Annotated[int, Field(ge=5, le=10_000)]


class MicroworldConfig(Frozen):
    """How much is generated, and how hard it is. Sizes not given are the task's own."""

    #: The world's number: another one is another data set of the same kind.
    world: int = Field(0, ge=0, le=MOST_SEED)
    train: int | None = Field(None, ge=4, description="examples (documents for coreference) of the train split")
    dev: int | None = Field(None, ge=1)
    test: int | None = Field(None, ge=1)
    #: Events of a story: how far apart a question, pronoun or description and what it is about may be.
    distance: int = Field(6, ge=2, le=100)
    #: Irrelevant sentences, at most this many before each event; 0 also keeps pairs to one event.
    distractors: int = Field(1, ge=0, le=20)
    #: Clauses inside clauses.
    depth: int = Field(1, ge=0, le=3)
    #: How often the first text of a pair contains what the second one names, at any label.
    overlap: float = Field(0.0, ge=0, le=1)
    #: How often a word of a pair's second text is replaced by a synonym.
    rewording: float = Field(0.3, ge=0, le=1)
    #: How often a hypothesis is negated, which swaps entailment and contradiction.
    negation: float = Field(0.1, ge=0, le=1)
    #: Words between question and answer of `long-range`, each as often; those of the task when not given.
    distances: tuple[Words, ...] | None = Field(None, min_length=1, exclude_if=lambda found: found is None)
    #: The same of the train split alone, so that a core is trained on short texts and tested on long ones.
    train_distances: tuple[Words, ...] | None = Field(None, min_length=1, exclude_if=lambda found: found is None)


class SourceConfig(Frozen):
    """Where a task's data comes from."""

    kind: Literal["local", "hub", "microworld"] = "local"
    #: Folder of the official files (`local`).
    data_dir: Path | None = None
    #: Commit or tag of the Hub data set (`hub`); the task's own pin when not given.
    revision: str | None = None
    #: Sizes and difficulty of generated data (`microworld`); the defaults when not given.
    microworld: MicroworldConfig | None = None


class TokenizerConfig(Frozen):
    """A WordPiece tokenizer, trained on the train split alone."""

    vocab_size: int = Field(8000, ge=100, le=10_000_000)
    lowercase: bool = True
    #: Whether é becomes e; when not given, as `lowercase`, the way BERT does.
    strip_accents: bool | None = None
    min_frequency: int = Field(2, ge=1)


class InitConfig(Frozen):
    """The finished run that another one starts from: its tokenizer, and its core's weights at the best epoch.

    Unset fields are filled in when the run is found. The folder's content is part of a run's identity, its path is not.
    """

    #: Folder of the finished run.
    run: Path
    #: False takes the tokenizer alone: the run from scratch that the other way is compared with.
    weights: bool = True
    #: Allows a causal core to start from a bidirectional one of the same dimensions, and the other way round.
    change_causal: bool = False
    identity: str | None = None
    #: SHA-256 of the weights' file, and of the tokenizer.
    checkpoint: str | None = None
    tokenizer: str | None = None


class RunConfig(Frozen):
    """One run: one core trained and evaluated on one task with one seed."""

    task: str
    core: SerializeAsAny[CoreConfig]
    source: SourceConfig = SourceConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    training: TrainingConfig = TrainingConfig()
    #: The task's own settings, checked by the task's `options_class`.
    options: dict[str, Any] = Field({})
    seed: int = Field(0, ge=0, le=MOST_SEED)
    #: The run whose weights and tokenizer this one starts from; from scratch when not given.
    init_from: InitConfig | None = None
    #: The task itself where a file declares it. What it means is part of the data's fingerprint.
    declaration: Declaration | None = None

    @field_validator("core", mode="before")
    @classmethod
    def _core_by_name(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return parse(core_config_class(str(value.get("name"))), value, "core")
        return value

    def determinants(self) -> dict[str, Any]:
        """The part of the config that determines the result: no folder, no display name.

        Unset fields are left out, so a setting added later (None by default) renames no run.
        """
        record = self.model_dump(mode="json", exclude_none=True)
        for field in self.core.provenance:
            record["core"].pop(field, None)
        if self.core.has_tokenizer:
            record.pop("tokenizer")
        record["source"].pop("data_dir", None)
        record.pop("declaration", None)
        if "init_from" in record:
            del record["init_from"]["run"]
        return record


def make_run_config(
    task: str,
    core: str,
    *,
    preset: str = "micro",
    source: SourceConfig | None = None,
    seed: int = 0,
    overrides: dict[str, Any] | None = None,
    declaration: Declaration | None = None,
) -> RunConfig:
    """A run's config from names and overrides; of a task that a file declares also the declaration.

    Training settings are taken from the user's overrides first, then from what the task declares, then from what the
    preset declares, then from what the core declares, then from `TrainingConfig`. A learning rate that the user did not
    set is at most the one that the preset trains with. The task is loaded, and torch with it.

    >>> config = make_run_config("snli", "atinuke", overrides={"core.causal": False, "training.max_epochs": 2})
    >>> config.core.label(), config.training.max_epochs
    ('atinuke-micro[causal=false]', 2)
    """
    if declaration is None:
        registry.require_task_name(task)
    else:
        source = _source_of(declaration)
    config_class = core_config_class(core)
    record: dict[str, Any] = {
        "task": task,
        "core": config_class.record(preset),
        # Without unset fields, so that an override can fill a group that is None.
        "source": (source or SourceConfig()).model_dump(mode="json", exclude_none=True),
        "training": {},
        "options": {} if declaration is None else dict(declaration.options),
        "seed": seed,
        "declaration": declaration,
    }
    for path, value in (overrides or {}).items():
        _set_path(record, path, value, config_class)
    needs = config_class.training_of(preset, record["core"])
    record["training"] = (
        _training_defaults(config_class.training, needs, registry.load_task(task, declaration).training)
        | record["training"]
    )
    return parse(RunConfig, record, "run")


def changed_run(run: RunConfig, overrides: Mapping[str, Any]) -> RunConfig:
    """A run with some fields changed, each by its path; ConfigError where no such field exists.

    >>> run = make_run_config("snli", "atinuke", preset="nano")
    >>> changed_run(run, {"seed": 3, "core.causal": False}).core.label()
    'atinuke-nano[causal=false]'
    """
    record = run.model_dump(mode="json", exclude_none=True)
    for path, value in overrides.items():
        _set_path(record, path, value, type(run.core))
    return parse(RunConfig, {**record, "declaration": run.declaration}, "run")


def _source_of(declaration: Declaration) -> SourceConfig:
    """A task that a file declares has its own data, wherever that of others comes from."""
    if declaration.hub is not None:
        return SourceConfig(kind="hub", revision=declaration.revision)
    return SourceConfig(kind="local", data_dir=declaration.folder)


def _training_defaults(
    core: Mapping[str, Any], preset: PresetTraining | None, task: Mapping[str, Any]
) -> dict[str, Any]:
    """The training settings of a run of which the user sets none."""
    if preset is None:
        return {**core, **task}
    limit = preset.max_learning_rate
    settings = {**core, **preset.model_dump(exclude={"max_learning_rate"}), **task}
    default = TrainingConfig.model_fields["learning_rate"].default
    return settings | {"learning_rate": min(settings.get("learning_rate", default), limit)}


def _set_path(record: dict[str, Any], path: str, value: Any, core_class: type[CoreConfig]) -> None:
    """Put `value` at a dotted path such as `core.causal`; ConfigError when no such field exists."""
    *parents, last = path.split(".")
    model: type[BaseModel] | None = RunConfig
    for parent in parents:
        _require_field(model, parent, path, core_class)
        model = core_class if model is RunConfig and parent == "core" else field_model(model, parent)
        record = record.setdefault(parent, {})
    _require_field(model, last, path, core_class)
    if model is RunConfig and field_model(RunConfig, last) is not None:
        raise ConfigError(f"'{path}' is a group of fields; set one of them, such as '{path}.{_first_field(last)}'")
    record[last] = value


def require_setting(path: str, core_class: type[CoreConfig]) -> None:
    """Refuse a dotted path that is no field of a run with a core of this class; ConfigError with the nearest."""
    _set_path({}, path, None, core_class)


def _require_field(model: type[BaseModel] | None, field: str, path: str, core_class: type[CoreConfig]) -> None:
    # Below `options` the task itself checks names.
    if model is None or field in model.model_fields:
        return
    rule = f"unknown field {path!r}; {model.__name__} has no {field!r}"
    near = nearest_setting(path, core_class)
    raise ConfigError(f"{rule}; nearest: {near!r}" if near else rule + fields_hint(field, model))


def nearest_setting(path: str, core_class: type[CoreConfig]) -> str | None:
    """The setting most like a dotted path: one of that name in another group, or of nearly that name; None.

    >>> nearest_setting("run.training.batch_size", CoreConfig), nearest_setting("qqq", CoreConfig)
    ('training.batch_rows', None)
    """
    group, _, last = path.rpartition(".")
    settings = list(_settings(core_class))
    if same := [setting for setting in settings if setting.rpartition(".")[2] == last]:
        return same[0]
    own = [setting for setting in settings if setting.startswith(f"{group}.")]
    for known in (own, settings):
        names = {setting.rpartition(".")[2]: setting for setting in reversed(known)}
        if (near := nearest(last, names)) is not None:
            return names[near]
    return None


def _settings(core_class: type[CoreConfig]) -> Iterator[str]:
    """The dotted path of every field of a run that is no group, the run's own first."""
    groups = {name: core_class if name == "core" else field_model(RunConfig, name) for name in RunConfig.model_fields}
    yield from (name for name, group in groups.items() if group is None)
    yield from (f"{name}.{field}" for name, group in groups.items() if group for field in group.model_fields)


def _first_field(group: str) -> str:
    model = field_model(RunConfig, group)
    return next(field for field in model.model_fields if field != "name") if model else ""
