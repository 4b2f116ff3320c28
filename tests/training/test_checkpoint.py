"""Checkpoints: exact, without pickle, checked."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from atinuke_bench.errors import CheckpointError, RunFolderError
from atinuke_bench.training.checkpoint import load_checkpoint, load_weights, save_checkpoint

RECORD: dict[str, Any] = {
    "epoch": 3,
    "state_dict": {"weight": torch.tensor([[1.5, -2.0]]), "half": torch.ones(3, dtype=torch.bfloat16)},
    "optimizer_states": [{"state": {0: {"step": torch.tensor(4.0)}}, "betas": (0.9, 0.999), "none": None}],
}


def test_round_trip_keeps_types_keys_and_bits(tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, RECORD)
    read = load_checkpoint(path)
    assert read["epoch"] == 3
    assert read["optimizer_states"][0]["betas"] == (0.9, 0.999)
    assert list(read["optimizer_states"][0]["state"]) == [0]
    assert torch.equal(read["state_dict"]["weight"], RECORD["state_dict"]["weight"])
    assert read["state_dict"]["half"].dtype == torch.bfloat16


def test_any_damage_is_noticed(tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, RECORD)
    whole = path.read_bytes()
    for place in (3, len(whole) // 2, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"damaged|not a checkpoint"):
            load_checkpoint(path)
    path.write_bytes(whole[:-5])
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "absent")


def test_a_foreign_file_is_refused(tmp_path):
    save_file({"weight": torch.ones(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match="not a checkpoint of this package"):
        load_checkpoint(tmp_path / "foreign.safetensors")


def test_weights_of_another_model_are_refused_by_name(tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"state_dict": nn.Linear(2, 3).state_dict()})
    with pytest.raises(CheckpointError, match=r"'weight' has shape \(3, 2\), expected \(3, 4\)"):
        load_weights(path, nn.Linear(4, 3))
    with pytest.raises(CheckpointError, match="'bias' too many"):
        load_weights(path, nn.Linear(2, 3, bias=False))


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"epoch": 1, "state_dict": {}})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunFolderError, match="No space left on device"):
        save_checkpoint(path, {"epoch": 2, "state_dict": {}})
    assert load_checkpoint(path)["epoch"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
