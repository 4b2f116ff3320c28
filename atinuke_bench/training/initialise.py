"""Starting a run from another: the core's weights of its best checkpoint, and its tokenizer.

Only `core.*` travels; the heads of two tasks have nothing in common. What may differ between the two cores is what no
weight depends on: dropout, and, where it is asked for, whether the core is causal.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Any

from tokenizers import Tokenizer
from torch import nn

from atinuke_bench import registry
from atinuke_bench.config import InitConfig, Pretraining, RunConfig
from atinuke_bench.data.tokenizer import fingerprint
from atinuke_bench.errors import CheckpointError, ConfigError, RunFolderError
from atinuke_bench.files import read_json, sha256_file, sha256_json, write_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.checkpoint import load_checkpoint

log = logging.getLogger(__name__)

#: Fields of a core's config that change no weight's meaning.
_FREE_FIELDS = ("dropout", "attention_dropout")
_PREFIX = "core."


@dataclass(frozen=True)
class Origin:
    """The finished run that another one starts from; what it holds is checked when it is opened."""

    folder: RunFolder
    run: RunConfig
    result: dict[str, Any]
    tokenizer: Tokenizer

    def pretraining(self, init: InitConfig, own: Pretraining) -> Pretraining:
        """What a protocol records of a run that starts from this one; `own` is what its own core had learned before."""
        protocol = self.result["protocol"]
        source = {"task": self.run.task, "data": protocol["data_fingerprint"][:8]}
        if not init.weights:
            return own.model_copy(update={**source, "is_tokenizer_only": True})
        settings = self.run.determinants()
        del settings["seed"]
        for name in ("identity", "checkpoint"):  # they differ with the seed
            settings.get("init_from", {}).pop(name, None)
        earlier = Pretraining.read(protocol["pretraining"])
        return Pretraining(
            **source,
            objective=protocol.get("objective"),
            settings=sha256_json(settings)[:8],
            causal_changed=init.change_causal,
            earlier=None if earlier == Pretraining() else earlier,
        )


@dataclass(frozen=True)
class Initialisation:
    """What became of the parameters: taken from the other run, left as they were drawn, or found but not wanted."""

    run: str
    task: str
    loaded: tuple[str, ...]
    new: tuple[str, ...]
    skipped: tuple[str, ...]

    def summary(self) -> str:
        """One line for a reader.

        >>> Initialisation("3f0c1d", "lm", ("core.a", "core.b"), ("head.weight",), ("bias",)).summary()
        'from lm run 3f0c1d: 2 parameters loaded, 1 new (head.weight), 1 skipped (bias)'
        """
        parts = [f"{len(self.loaded)} parameters loaded"]
        for kind in ("new", "skipped"):
            names = getattr(self, kind)
            shown = ", ".join(dict.fromkeys(names))
            parts.append(f"{len(names)} {kind}" + (f" ({shown})" if names else ""))
        return f"from {self.task} run {self.run}: {', '.join(parts)}"


def resolve_origin(run: RunConfig) -> RunConfig:
    """The run with what its `init_from` names filled in: identity, checksums and the tokenizer's settings.

    Raises RunFolderError where there is no finished run, CheckpointError where its core or tokenizer does not fit or is
    not what this config started from before, ConfigError for the floor, which learns nothing.
    """
    init = run.init_from
    if init is None:
        return run
    if run.core.is_floor:
        raise ConfigError(f"init_from: the core {run.core.name!r} has no weights; give another core, or no --init-from")
    origin = open_origin(init)
    _require_fit(run, origin)
    found = {"tokenizer": fingerprint(origin.tokenizer)}
    if init.weights:
        found |= {"identity": origin.result["identity"], "checkpoint": sha256_file(origin.folder.best_checkpoint)}
    for name, value in found.items():
        stated = getattr(init, name)
        if stated not in (None, value):
            raise CheckpointError(f"init_from.{name}: {init.run} has {value}; this config started from {stated}")
    return run.model_copy(
        update={"init_from": init.model_copy(update=found), "tokenizer": origin.run.tokenizer},
    )


def open_origin(init: InitConfig) -> Origin:
    """The run that `init` names; RunFolderError when it is not finished, CheckpointError when a file is damaged."""
    folder = RunFolder(init.run)
    result = folder.read_result()
    for path in (folder.tokenizer, *([folder.best_checkpoint] if init.weights else [])):
        try:
            folder.require_whole(path, result)
        except RunFolderError as error:
            name = path.relative_to(folder.path)
            raise CheckpointError(f"{folder.path}: no run can start from this one; it kept no {name}") from error
    return Origin(folder, folder.read_config(), result, Tokenizer.from_file(str(folder.tokenizer)))


def _require_fit(run: RunConfig, origin: Origin) -> None:
    """CheckpointError that names every field in which core or tokenizer differ."""
    differing = _differing_tokenizer(run, origin.run)
    assert run.init_from is not None
    if run.init_from.weights:
        differing = [*_differing_core(run, origin), *differing]
    if not differing:
        return
    hint = ""
    if [name for name, _, _ in differing] == ["core.causal"]:
        hint = "; nearest: --set init_from.change_causal=true, since its weights fit either way"
    shown = ", ".join(f"{name} is {theirs!r} there and {ours!r} here" for name, theirs, ours in differing)
    raise CheckpointError(f"{origin.folder.path}: the run to start from does not fit: {shown}{hint}")


def _differing_core(run: RunConfig, origin: Origin) -> list[tuple[str, Any, Any]]:
    """Field, value there, value here."""
    assert run.init_from is not None
    ours, theirs = (config.core.model_dump(mode="json") for config in (run, origin.run))
    ignored = {*_FREE_FIELDS, *run.core.provenance, *(["causal"] if run.init_from.change_causal else [])}
    if ours["name"] != theirs["name"]:
        return [("core.name", theirs["name"], ours["name"])]
    names = [name for name in ours if name not in ignored]
    found = [(f"core.{name}", theirs.get(name), ours[name]) for name in names if theirs.get(name) != ours[name]]
    version = registry.load_core(run.core.name).result_version
    trained = read_json(origin.folder.manifest)["result_versions"]["core"]
    return found + ([("the core's result_version", trained, version)] if trained != version else [])


def _differing_tokenizer(run: RunConfig, origin: RunConfig) -> list[tuple[str, Any, Any]]:
    # Settings left at their defaults follow the other run; explicit ones must match it.
    asked = run.tokenizer.model_fields_set if "tokenizer" in run.model_fields_set else ()
    pairs = ((name, getattr(origin.tokenizer, name), getattr(run.tokenizer, name)) for name in sorted(asked))
    return [(f"tokenizer.{name}", theirs, ours) for name, theirs, ours in pairs if theirs != ours]


def initialise(module: nn.Module, origin: Origin) -> Initialisation:
    """Put the core's weights of a run into the `core` of a module; CheckpointError when names or shapes do not fit."""
    state = load_checkpoint(origin.folder.best_checkpoint)["state_dict"]
    expected = module.state_dict()
    wanted = [name for name in expected if name.startswith(_PREFIX)]
    for name in wanted:
        if name not in state or state[name].shape != expected[name].shape:
            there = tuple(state[name].shape) if name in state else "missing"
            raise CheckpointError(
                f"{origin.folder.best_checkpoint}: the core does not fit: {name} is {there} there and "
                f"{tuple(expected[name].shape)} here"
            )
    module.load_state_dict({name: state[name] for name in wanted}, strict=False)
    loaded = set(wanted)
    return Initialisation(
        origin.result["identity"],
        origin.run.task,
        tuple(wanted),
        tuple(name for name in expected if name not in loaded),
        tuple(name for name in state if name not in loaded),
    )


def record_initialisation(folder: RunFolder, done: Initialisation) -> None:
    """Add to the run's manifest what its parameters started from."""
    write_json(folder.manifest, {**read_json(folder.manifest), "initialisation": asdict(done)})
    log.info("%s", done.summary())
