"""`run --init-from` and `compare --across` as a user meets them."""

from __future__ import annotations

import json

import pytest

SMALL = ["--preset", "nano", "--wandb", "disabled", "--set", "training.max_epochs=1", "--json"]


@pytest.fixture
def text(tmp_path):
    folder = tmp_path / "text"
    folder.mkdir()
    blocks = (f"Ada helps Ben and Cleo sees Dan {number} times." for number in range(40))
    (folder / "story.txt").write_text("\n\n".join(blocks), encoding="utf-8")
    return folder


def test_a_core_is_pretrained_on_text_and_fine_tuned_and_both_are_compared(cli, text, official, tmp_path):
    out = tmp_path / "runs"
    pretrain = ("run", "--task", "lm", "--core", "atinuke", *SMALL, "--set", "tokenizer.vocab_size=150", "--out", out)
    first = cli(*pretrain, "--data-dir", text)
    assert first.status == 0, first.err
    source = json.loads(first.out)
    assert source["metric"] == "bits_per_byte"
    tune = ("run", "--task", "snli", "--core", "atinuke", *SMALL, "--data-dir", official)
    for store, more in (("after", ()), ("scratch", ("--set", "init_from.weights=false"))):
        for seed in (0, 1):
            done = cli(*tune, "--init-from", source["folder"], "--seed", seed, "--out", tmp_path / store, *more)
            assert done.status == 0, done.err
            told = f"from lm run {source['identity']}: " in done.err and "parameters loaded" in done.err
            assert told is (store == "after")
    sides = ("compare", tmp_path / "after", tmp_path / "scratch")
    refused = cli(*sides)
    assert refused.status == 2
    assert "differ in pretraining; --across pretraining" in refused.err
    compared = cli(*sides, "--across", "pretraining", "--json")
    assert compared.status == 0, compared.err
    (one,) = json.loads(compared.out)["comparisons"]
    assert one["seeds_a"] == one["seeds_b"] == 2
    assert "lm (causal) on " in one["a"]
    assert "none; tokenizer of lm on " in one["b"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--init-from", "nowhere"], "nowhere: not a finished run"),
        (["--set", "init_from.weights=false"], "run.init_from.run: the field is missing"),
        (["--set", "init_from=nowhere"], "'init_from' is a group of fields; set one of them, such as 'init_from.run'"),
        (["--set", "init_from.wights=1"], "nearest: 'init_from.weights'"),
    ],
)
def test_mistakes_are_one_line(cli, official, tmp_path, more, message):
    done = cli("run", "--task", "snli", "--core", "atinuke", *SMALL, "--data-dir", official, "--out", tmp_path, *more)
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert message in done.err
