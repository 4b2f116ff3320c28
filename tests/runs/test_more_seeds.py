"""Further seeds are the same run but for the seed, and a claim stops once it is decided."""

from __future__ import annotations

import json

from atinuke_bench.config import MicroworldConfig, SourceConfig, make_run_config
from atinuke_bench.run_folder import find_runs
from atinuke_bench.runs.execute import execute


def _train(store, core, seed):
    run = make_run_config(
        "snli",
        core,
        preset="nano",
        source=SourceConfig(kind="microworld", microworld=MicroworldConfig(train=40, dev=10, test=60)),
        seed=seed,
        overrides={"training.max_epochs": 1, "tokenizer.vocab_size": 300},
    )
    execute(run, store, wandb="disabled")


def test_a_claim_is_carried_out_up_to_its_seeds(tmp_path, cli):
    store = tmp_path / "runs"
    _train(store, "atinuke", 0)
    _train(store, "bilstm", 2)
    text = "atinuke > bilstm by 90 points on snli"
    shown = cli(
        "claim", text, "--runs", store, "--carry-out", "--max-seeds", 3, "--workers", 1, "--device-batch-tokens", 256,
        "--wandb", "disabled",
    )  # fmt: skip
    assert (shown.status, shown.out.split(":")[0]) == (1, "refuted"), shown.err
    configs: dict[str, set[str]] = {"atinuke": set(), "bilstm": set()}
    seeds: dict[str, set[int]] = {"atinuke": set(), "bilstm": set()}
    for folder in find_runs(store):
        run = folder.read_config()
        seeds[run.core.name].add(run.seed)
        configs[run.core.name].add(json.dumps(run.model_copy(update={"seed": 0}).determinants()))
    assert seeds == {"atinuke": {0, 1, 2}, "bilstm": {0, 1, 2}}
    assert [len(own) for own in configs.values()] == [1, 1]
    refused = cli("claim", text, "--runs", store, "--carry-out", "--max-seeds", 3, "--workers", 1)
    assert refused.status == 1, "what is there already is looked at"
