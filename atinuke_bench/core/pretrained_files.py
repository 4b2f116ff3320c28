"""A pretrained encoder in a folder or on the Hub: three kinds of files are read, never code.

config.json         the dimensions
*.safetensors       the weights; a pickle is never opened
tokenizer.json      the tokenizer
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub.errors import (
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tokenizers import Tokenizer

from atinuke_bench.config import Pretraining
from atinuke_bench.errors import CheckpointError, ConfigError, DataError, RunFolderError, first_line
from atinuke_bench.files import git_blob_id, read_object, sha256_file, sha256_json

ARCHITECTURE = "config.json"
TOKENIZER = "tokenizer.json"
WEIGHTS = "model.safetensors"
#: Names the files of weights that come in parts.
INDEX = f"{WEIGHTS}.index.json"

# Entries of a config.json that are particular to one task, program or file, and change no hidden vector. So are all
# that begin with "_": they are the library's own, and one of them names code on the Hub that it would fetch and run.
_INCIDENTAL = {
    "architectures",
    "attn_implementation",
    "auto_map",
    "dtype",
    "experts_implementation",
    "finetuning_task",
    "gradient_checkpointing",
    "id2label",
    "label2id",
    "output_attentions",
    "output_hidden_states",
    "problem_type",
    "torch_dtype",
    "transformers_version",
    "use_cache",
    "use_kernels",
}
# No encoder has more layers, nor any size above this; a larger number takes the memory before anything is checked.
_MOST_LAYERS, _LARGEST_SIZE = 1_000, 100_000_000

#: Models that also circulate as folders without a name, by the SHA-256 of their single file of weights.
KNOWN_WEIGHTS = {
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db": "sentence-transformers/all-MiniLM-L6-v2",
}
#: What a model's authors list among its training data, by the family of tasks that it touches (their model cards).
TRAINED_ON: dict[str, dict[str, str]] = {
    "sentence-transformers/all-MiniLM-L6-v2": {
        "snli": "SNLI (in AllNLI)",
        "glue/mnli": "MultiNLI (in AllNLI)",
        "glue/ax": "MultiNLI (in AllNLI)",
        "glue/qqp": "Quora question pairs",
        "glue/qnli": "SQuAD, which QNLI is made from",
        "squad-v1.1": "SQuAD",
        "squad-v2.0": "SQuAD",
    },
}


@dataclass(frozen=True)
class ModelFolder:
    """A model whose files are all there."""

    path: Path
    known_as: str
    revision: str | None
    architecture: dict[str, Any]
    weights: tuple[Path, ...]
    checksum: str

    @property
    def num_bytes(self) -> int:
        """The size of the files of weights."""
        return sum(file.stat().st_size for file in self.weights)

    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer; CheckpointError when its file is damaged."""
        return read_tokenizer(self.path / TOKENIZER)


def find_model(model: str, revision: str | None = None) -> ModelFolder:
    """The model in a folder, or of that name on the Hub, downloaded; ConfigError, CheckpointError or DataError."""
    path = Path(model).expanduser()
    if path.is_dir():
        if revision is not None:
            raise ConfigError(f"core.revision is of a model on the Hub; {model} is a folder, found revision {revision}")
        return read_folder(path)
    if path.exists():
        raise ConfigError(f"core.model: a model is a folder or a name on the Hub; {model} is a file")
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise ConfigError(f"core.model: no folder {model}; it needs {ARCHITECTURE}, {TOKENIZER} and {WEIGHTS}")
    folder, commit = _download(model, revision)
    return read_folder(folder, name=model, revision=commit)


def read_folder(path: Path, name: str | None = None, revision: str | None = None) -> ModelFolder:
    """The model in a folder; ConfigError when a file is missing, CheckpointError when one is damaged."""
    present = {entry.name for entry in path.iterdir()}
    _require(path, present)
    architecture = _json(path / ARCHITECTURE)
    weights = _weight_files(path, present)
    sums = [_sha256(file) for file in weights]
    for file, found in zip(weights, sums, strict=True):
        # The Hub's cache names a large file by the checksum that it should have.
        should = file.resolve().name
        if len(should) == len(found) and file.is_symlink() and should != found:
            raise CheckpointError(f"{file.resolve()}: not the file that the Hub has (its checksum differs); delete it")
    _require_plausible(architecture, path / ARCHITECTURE)
    kept = {key: value for key, value in architecture.items() if not _is_incidental(key)}
    checksum = sha256_json({"weights": sums, "tokenizer": _sha256(path / TOKENIZER), "architecture": kept})
    known_as = KNOWN_WEIGHTS.get(sums[0]) if len(sums) == 1 else None
    return ModelFolder(path, known_as or name or path.absolute().name, revision, kept, weights, checksum)


def read_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer that neither truncates nor pads, and reads the names of special tokens in a text as text."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True
        tokenizer.encode("Ada, une élève, 言葉")  # some damage shows only when it is used
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # what its Rust panics with is no Exception
        raise CheckpointError(f"{path}: cannot be read as a tokenizer ({first_line(error)})") from error
    return tokenizer


def pretraining_of(known_as: str, task: str) -> Pretraining:
    """What is known of a model's training data and the task's.

    >>> pretraining_of("sentence-transformers/all-MiniLM-L6-v2", "snli").label
    'sentence-transformers/all-MiniLM-L6-v2, whose authors list SNLI (in AllNLI) among its training data'
    """
    return Pretraining(model=known_as, listed=TRAINED_ON.get(known_as, {}).get(task))


def _require(path: Path, present: set[str]) -> None:
    where = f"core.model: {path}"
    if ARCHITECTURE not in present:
        raise ConfigError(f"{where}: a model's folder has a {ARCHITECTURE}; found {_some(present)}")
    if WEIGHTS not in present and INDEX not in present:
        pickles = sorted(name for name in present if name.endswith((".bin", ".pt", ".pth", ".ckpt")))
        if pickles:
            raise ConfigError(
                f"{where}: weights must be safetensors; found {pickles[0]}, a pickle, which can run code and is never "
                "opened; write it as safetensors where you trust it: model.save_pretrained(DIR)"
            )
        raise ConfigError(f"{where}: the weights must be in {WEIGHTS}; found {_some(present)}")
    if TOKENIZER not in present:
        raise ConfigError(
            f"{where}: the tokenizer must be in {TOKENIZER}; found {_some(present)}; "
            "transformers writes it: AutoTokenizer.from_pretrained(MODEL).save_pretrained(DIR)"
        )


def _is_incidental(key: str) -> bool:
    return key.startswith("_") or key in _INCIDENTAL


def _require_plausible(architecture: dict[str, Any], where: Path) -> None:
    """Refuse what would take all memory, or read weights by code for packed ones; CheckpointError."""
    if "quantization_config" in architecture:
        raise CheckpointError(f"{where}: weights must be plain numbers; found 'quantization_config'")
    for key, value in architecture.items():
        if isinstance(value, dict):
            _require_plausible(value, where)
        limit = _MOST_LAYERS if "layers" in key else _LARGEST_SIZE
        if isinstance(value, int) and value > limit:
            raise CheckpointError(f"{where}: {key}: at most {limit:,}; found {value:,}")


def _weight_files(path: Path, present: set[str]) -> tuple[Path, ...]:
    if WEIGHTS in present:
        return (path / WEIGHTS,)
    names = _parts(_json(path / INDEX), path / INDEX)
    if missing := [name for name in names if name not in present]:
        raise ConfigError(f"core.model: {path}: {INDEX} names {missing[0]}, which is not there")
    return tuple(path / name for name in names)


def _parts(index: dict[str, Any], where: Path) -> list[str]:
    names = sorted(set(index.get("weight_map", {}).values()))
    # A name from a file must stay inside the folder and be a safetensors file.
    bad = [name for name in names if Path(name).name != name or not name.endswith(".safetensors")]
    if bad or not names:
        raise CheckpointError(
            f"{where}: 'weight_map' names safetensors beside it; found {bad[0] if bad else 'nothing'}"
        )
    return names


def _json(path: Path) -> dict[str, Any]:
    try:
        return read_object(path)
    except RunFolderError as error:
        raise CheckpointError(str(error)) from error


def _sha256(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error


def _some(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)[:5]) or "nothing"


def _download(name: str, revision: str | None) -> tuple[Path, str]:
    """The folder of the Hub's cache with the files that are read, at one commit, and that commit."""
    where = f"{name}@{revision}" if revision else name
    try:
        info = huggingface_hub.HfApi().model_info(name, revision=revision, timeout=30, files_metadata=True)
        present = {file.rfilename for file in info.siblings or []}
        _require(Path(where), present)
        names = [ARCHITECTURE, TOKENIZER]
        if WEIGHTS in present:
            names.append(WEIGHTS)
        else:
            index = Path(huggingface_hub.hf_hub_download(name, INDEX, revision=info.sha))
            names += _parts(_json(index), index)
        paths = [Path(huggingface_hub.hf_hub_download(name, file, revision=info.sha)) for file in names]
    except RevisionNotFoundError as error:
        raise DataError("the Hub has no such revision of this model", path=where) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        problem = f"core.model: no folder and no model on the Hub is called {where}, or there is no access to it"
        raise ConfigError(problem) from error
    # ImportError and ValueError: a SOCKS proxy in the environment, or one of an unknown kind.
    except (OfflineModeIsEnabled, HTTPError, OSError, ImportError, ValueError) as error:
        return _cached(name, revision, error)
    _verify(paths, {file.rfilename: file for file in info.siblings or []})
    return paths[0].parent, str(info.sha)


def _cached(name: str, revision: str | None, why: Exception) -> tuple[Path, str]:
    """What the Hub's cache has of the model, where the Hub cannot be reached."""
    try:
        folder = Path(huggingface_hub.snapshot_download(name, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        problem = f"cannot be read from {huggingface_hub.constants.ENDPOINT}: {first_line(why)}"
        raise DataError(f"{problem}; a folder needs no network (--model FOLDER)", path=name) from why
    return folder, folder.name


def _verify(paths: list[Path], siblings: dict[str, Any]) -> None:
    for path in paths:
        entry = siblings[path.name]
        content = path.read_bytes() if entry.lfs is None else b""
        found = sha256_file(path) if entry.lfs else git_blob_id(content)
        if found != (entry.lfs.sha256 if entry.lfs else entry.blob_id):
            raise CheckpointError(f"{os.path.realpath(path)}: not the file that the Hub has; delete it and run again")
