"""Checkpoints without pickle: one safetensors file that names its own checksum, whole or absent.

Lightning hands over a nested record of plain values and tensors. The tensors are stored as such; the rest is JSON in
the file's metadata, with a reference in place of each tensor.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins import CheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from atinuke_bench.errors import CheckpointError
from atinuke_bench.files import make_folder, write_bytes

# The one key of the file's metadata. With several, safetensors writes them in the order of a hash map, and equal
# checkpoints would be unequal files.
_KEY = "atinuke-bench checkpoint 1"
#: Where a record has the identity of its run. Runs of other seeds have weights of the same names and shapes.
RUN = "run"


def save_checkpoint(path: str | Path, record: dict[str, Any]) -> None:
    """Write a nested record of dicts, lists, tuples, plain values and tensors; the old file stays when this fails."""
    tensors: dict[str, Tensor] = {}
    structure = json.dumps(_pack(record, tensors))
    header = json.dumps({"sha256": _digest(structure, tensors), "structure": structure})
    make_folder(Path(path).parent)
    write_bytes(path, save(tensors, metadata={_KEY: header}))


def load_checkpoint(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """The record of `save_checkpoint`; CheckpointError when the file is missing, damaged or something else."""
    tensors, metadata = _read(path)
    if _KEY not in metadata:
        raise CheckpointError(f"{path}: not a checkpoint of this package; its metadata lacks {_KEY!r}")
    try:
        header = json.loads(metadata[_KEY])
        is_whole = header["sha256"] == _digest(header["structure"], tensors)
    except (ValueError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise CheckpointError(f"{path}: checkpoint is damaged (its checksum does not match its content)")
    device = map_location if isinstance(map_location, str | torch.device) else "cpu"
    return _unpack(json.loads(header["structure"]), {name: tensor.to(device) for name, tensor in tensors.items()})


def load_weights(path: str | Path, module: torch.nn.Module) -> None:
    """Put a checkpoint's `state_dict` into a module; CheckpointError when it belongs to another one."""
    state = load_checkpoint(path)["state_dict"]
    expected = module.state_dict()
    for name, tensor in expected.items():
        if name not in state:
            raise CheckpointError(f"{path}: checkpoint of another model; it has no parameter {name!r}")
        if state[name].shape != tensor.shape:
            raise CheckpointError(
                f"{path}: checkpoint of another model; parameter {name!r} has shape {tuple(state[name].shape)}, "
                f"expected {tuple(tensor.shape)}"
            )
    if unknown := sorted(set(state) - set(expected)):
        raise CheckpointError(f"{path}: checkpoint of another model; it has a parameter {unknown[0]!r} too many")
    module.load_state_dict(state)


class SafetensorsIO(CheckpointIO):
    """Lightning's door to `save_checkpoint` and `load_checkpoint`; what it saves says of which run it is."""

    def __init__(self, identity: str) -> None:
        self.identity = identity

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        save_checkpoint(path, {**checkpoint, RUN: self.identity})

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        # `weights_only` concerns pickles; there are none here.
        return load_checkpoint(path, map_location)

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)


def _read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not Path(path).is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no dict)
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: checkpoint is damaged ({error})") from error


def _digest(structure: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(structure.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _pack(value: Any, tensors: dict[str, Tensor], path: str = "") -> Any:
    """`value` as JSON data; dicts become lists of pairs, since optimiser state is keyed by number.

    A tensor is stored under its path in the record, so that other tools find `state_dict/core.…` by name.
    """
    if isinstance(value, Tensor):
        tensors[path] = value.detach().cpu().contiguous().clone()
        return {"tensor": path}
    if isinstance(value, dict):
        return {"dict": [[key, _pack(item, tensors, _join(path, key))] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_pack(item, tensors, _join(path, index)) for index, item in enumerate(value)]}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"a checkpoint holds plain values and tensors; found {type(value).__name__} at {path}")


def _join(path: str, part: Any) -> str:
    return f"{path}/{part}" if path else str(part)


def _unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _unpack(item, tensors) for key, item in content}
    items = [_unpack(item, tensors) for item in content]
    return tuple(items) if kind == "tuple" else items
