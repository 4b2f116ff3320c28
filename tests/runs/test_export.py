"""Exported runs: a folder that answers as the run does, and a folder that transformers computes the same with."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch
from typer.testing import CliRunner

from atinuke_bench import source_code
from atinuke_bench.cli import app
from atinuke_bench.config import PretrainedConfig, TransformerConfig, core_config_class
from atinuke_bench.core.build import build_core
from atinuke_bench.core.encoder import AttentionCore
from atinuke_bench.core.pretrained_files import find_model
from atinuke_bench.errors import AtinukeBenchError, CheckpointError, ConfigError, RunFolderError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.bert import bert_config, bert_weights, require_bert
from atinuke_bench.runs.export import export_run, load_exported, open_predictor
from atinuke_bench.training.predict import load_predictor
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

PAIRS = [
    {"id": "one", "sentence1": "Ada sees Ben", "sentence2": "Ben runs"},
    {"id": "two", "sentence1": "Ben never helps Dan", "sentence2": "Ben helps Dan"},
]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def finished(official, tmp_path_factory):
    """`finished(core, **overrides)`: a small finished run on SNLI."""
    from atinuke_bench.config import SourceConfig, make_run_config

    made = {}

    def make(core, **overrides):
        key = json.dumps([core, overrides], default=str)
        if key not in made:
            torch.set_num_threads(1)
            changes = {name.replace("__", "."): value for name, value in overrides.items()}
            small = {"training.max_epochs": 2, "training.batch_tokens": 512, "tokenizer.vocab_size": 200}
            if core == "pretrained":
                small["training.max_length"] = 48
            source = SourceConfig(data_dir=official)
            run = make_run_config("snli", core, preset="nano", source=source, overrides={**small, **changes})
            folder = RunFolder(tmp_path_factory.mktemp("runs") / "run")
            train_and_evaluate(prepare(run), folder, Execution(show_progress=False))
            made[key] = folder
        return made[key]

    return make


@pytest.mark.parametrize("core", ["atinuke", "bilstm"])
def test_an_export_answers_as_its_run(finished, tmp_path, core):
    folder = finished(core)
    files = export_run(folder, tmp_path / "out" / "model")
    assert files == ["atinuke-bench.json", "tokenizer.json", "weights.safetensors"]
    exported = load_exported(tmp_path / "out" / "model")
    assert exported.predict(PAIRS) == load_predictor(folder).predict(PAIRS)
    ours, theirs = load_predictor(folder).module.state_dict(), exported.module.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert os.listdir(tmp_path / "out") == ["model"], "nothing is left beside it"


def test_an_export_says_what_it_is_and_not_where_it_was_made(finished, tmp_path):
    folder = finished("atinuke")
    export_run(folder, tmp_path / "model")
    text = (tmp_path / "model" / "atinuke-bench.json").read_text()
    card, result = json.loads(text), folder.read_result()
    assert card["result"]["identity"] == result["identity"]
    assert card["result"]["protocol"] == result["protocol"]
    assert str(folder.read_config().source.data_dir) not in text


def test_a_pretrained_core_is_exported_with_its_tokenizer_and_needs_its_origin_no_more(
    finished, model_folder, tmp_path
):
    place = shutil.copytree(model_folder("bert"), tmp_path / "origin")
    folder = finished("pretrained", core__model=str(place))
    shutil.rmtree(place)
    answers = load_predictor(folder).predict(PAIRS)
    export_run(folder, tmp_path / "own")
    export_run(folder, tmp_path / "theirs", "transformers")
    assert load_exported(tmp_path / "own").predict(PAIRS) == answers
    assert str(tmp_path) not in (tmp_path / "own" / "atinuke-bench.json").read_text()
    _assert_loads_in_transformers(tmp_path / "theirs", load_predictor(folder).module.core)


def _assert_loads_in_transformers(folder, core):
    """Transformers computes what the core does, in both directions: there, and back here as a pretrained core."""
    transformers = pytest.importorskip("transformers", reason="needs the extra 'pretrained'")
    model = transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(["Ada sees Ben", "Dan"], ["Ben runs", "Ben never helps"], padding=True, return_tensors="pt")
    assert batch["token_type_ids"].any()
    mask = batch["attention_mask"].bool()
    again = build_core(PretrainedConfig(model=str(folder)), 50).eval()
    core = core.eval()
    with torch.no_grad():
        expected = core(batch["input_ids"], mask, batch["token_type_ids"])[mask]
        torch.testing.assert_close(model(**batch).last_hidden_state[mask], expected, atol=1e-5, rtol=1e-5)
        back = again(batch["input_ids"], mask, batch["token_type_ids"])[mask]
        torch.testing.assert_close(back, expected, atol=1e-5, rtol=1e-5)


def test_the_plain_encoder_is_a_bert_model(finished, tmp_path):
    folder = finished("transformer")
    files = export_run(folder, tmp_path / "bert", "transformers")
    assert files == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    _assert_loads_in_transformers(tmp_path / "bert", load_predictor(folder).module.core)


def test_a_bert_model_of_a_task_without_segments_adds_none():
    transformers = pytest.importorskip("transformers", reason="needs the extra 'pretrained'")
    torch.manual_seed(0)
    core = build_core(TransformerConfig.from_preset("nano"), 40).eval()
    assert isinstance(core, AttentionCore)
    model = transformers.BertModel(transformers.BertConfig(**bert_config(core, 40)), add_pooling_layer=False).eval()
    ids = torch.randint(5, 40, (2, 9))
    mask = torch.ones_like(ids, dtype=torch.bool)
    for has_segments, given in ((False, None), (True, torch.zeros_like(ids))):
        model.load_state_dict(bert_weights(core, has_segments=has_segments))
        with torch.no_grad():
            torch.testing.assert_close(model(ids).last_hidden_state, core(ids, mask, given), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("core", "changes", "message"),
    [
        ("transformer", {"causal": True}, r"core\.causal: BertModel has false; found true; nearest: --format atinuke"),
        ("transformer", {"norm": "pre"}, r"core\.norm: BertModel has 'post'; found 'pre'"),
        ("transformer", {"positions": "rotary"}, r"core\.positions: BertModel has 'learned'; found 'rotary'"),
        ("atinuke", {}, r"core\.name: transformers has a BertModel for core 'transformer' .* found 'atinuke'"),
        ("bilstm", {}, r"core\.name: .* found 'bilstm'"),
    ],
)
def test_what_transformers_has_no_place_for_is_named(core, changes, message):
    with pytest.raises(ConfigError, match=message):
        require_bert(build_core(core_config_class(core).from_preset("nano", **changes), 40))


def test_nothing_is_overwritten(finished, tmp_path):
    folder = finished("bilstm")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    for name in ("full", "file"):
        with pytest.raises(ConfigError, match="a new or empty folder is needed"):
            export_run(folder, tmp_path / name)
    export_run(folder, tmp_path / "empty")
    with pytest.raises(ConfigError, match=r"is for atinuke-bench or transformers; found 'onnx'"):
        export_run(folder, tmp_path / "new", "onnx")
    with pytest.raises(ConfigError, match=r"core\.name"):
        export_run(folder, tmp_path / "new", "transformers")
    assert sorted(os.listdir(tmp_path)) == ["empty", "file", "full"]


def test_a_damaged_export_is_found(finished, tmp_path):
    good = tmp_path / "good"
    export_run(finished("bilstm"), good)
    changes = {
        "weights.safetensors": lambda path: path.write_bytes(path.read_bytes()[:-8]),
        "tokenizer.json": lambda path: path.unlink(),
        "atinuke-bench.json": lambda path: path.write_text('{"schema": 99}'),
    }
    for name, change in changes.items():
        copy = shutil.copytree(good, tmp_path / name)
        change(copy / name)
        with pytest.raises(AtinukeBenchError, match=name) as found:
            load_exported(copy)
        assert found.type in (CheckpointError, RunFolderError)
    with pytest.raises(RunFolderError, match="not an exported run"):
        load_exported(tmp_path)
    with pytest.raises(ConfigError, match=r"config\.json"):
        find_model(str(good))


# --- the command line -------------------------------------------------------------------------------------------------


def invoke(*arguments, text=None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=text)


def test_predict_prints_lines_or_documents(finished, tmp_path):
    run = finished("atinuke").path
    expected = [answer.as_record() for answer in open_predictor(run).predict(PAIRS)]
    text = "".join(json.dumps(pair) + "\n" for pair in PAIRS)
    (tmp_path / "in.jsonl").write_text("\ufeff" + text)
    assert json.loads(invoke("predict", run, "--json", text=text).stdout) == expected
    assert (
        json.loads(invoke("predict", run, "--input", tmp_path / "in.jsonl", "--json", "--chunk", 1).stdout) == expected
    )
    lines = invoke("predict", run, "--jsonl", text=text).stdout.splitlines()
    assert [json.loads(line) for line in lines] == expected
    plain = invoke("predict", run, text=text).stdout.splitlines()
    assert plain == [f"{answer['id']}\t{answer['prediction']}" for answer in expected]
    assert json.loads(invoke("predict", run, "--json", text="").stdout) == []


def test_predict_answers_the_lines_before_one_that_is_not_utf8(finished):
    found = invoke("predict", finished("atinuke").path, text=b"\xef\xbb\xbfa\tb\nc\td\n\xff\tb\n")
    assert [line.split("\t")[0] for line in found.stdout.splitlines()] == ["1", "2"]
    assert "standard input:3: must be UTF-8" in str(found.exception)
    listed = invoke("predict", finished("atinuke").path, "--json", text=b"a\tb\nc\td\n\xff\tb\n")
    assert [answer["id"] for answer in json.loads(listed.stdout)] == ["1", "2"]
    assert "standard input:3: must be UTF-8" in str(listed.exception)


def test_predict_says_what_is_wrong(finished, tmp_path):
    run = finished("atinuke").path
    cases = [
        (("predict", run, "--input", tmp_path / "none"), None, "none: cannot be read"),
        (("predict", run, "--json", "--jsonl"), "", "give one of them"),
        (("predict", tmp_path), "", "not a finished run"),
        (("predict", run), "a\tb\nc\n", "standard input:2: a line is a JSON object, or 2 texts"),
        (("predict", run), b"a\tb\n\xff\tb\n", "standard input:2: must be UTF-8"),
        (("run", "--task", "snli", "--core", "atinuke", "--model", "x"), None, "--model is what --core pretrained"),
    ]
    for arguments, text, message in cases:
        found = invoke(*arguments, text=text)
        assert isinstance(found.exception, AtinukeBenchError)
        assert message in str(found.exception)


def test_export_prints_its_files(finished, tmp_path):
    run = finished("atinuke").path
    shown = json.loads(invoke("export", run, "--out", tmp_path / "a", "--json").stdout)
    assert shown == {"folder": str(tmp_path / "a"), "files": sorted(os.listdir(tmp_path / "a"))}
    assert "weights.safetensors" in invoke("export", run, "--out", tmp_path / "b").stdout
    expected = invoke("predict", run, "--json", text="Ada\tBen").stdout
    assert invoke("predict", tmp_path / "a", "--json", text="Ada\tBen").stdout == expected


def test_an_export_for_transformers_says_why_the_head_is_not_there(finished, tmp_path):
    run = finished("transformer").path
    shown = invoke("export", run, "--format", "transformers", "--out", tmp_path / "a")
    assert shown.stderr.startswith("the core alone: the head compares two texts, each pooled from its own tokens")
    assert shown.stderr.count("\n") == 1
    assert invoke("export", run, "--out", tmp_path / "b").stderr == ""


def test_export_and_predict_say_that_the_code_has_changed_since(finished, tmp_path, monkeypatch):
    run = finished("atinuke").path
    assert "other code" not in invoke("export", run, "--out", tmp_path / "a").stderr
    assert "other code" not in invoke("predict", tmp_path / "a", text="Ada\tBen").stderr
    name = "atinuke_bench.core.atinuke"
    read = source_code._source
    monkeypatch.setattr(source_code, "_source", lambda asked: "x = 1" if asked == name else read(asked))
    source_code._read.cache_clear()
    for arguments in (("export", run, "--out", tmp_path / "b"), ("predict", run), ("predict", tmp_path / "a")):
        said = f"warning: {arguments[1]}: finished earlier with other code ({name})"
        assert said in invoke(*arguments, text="Ada\tBen").stderr
    monkeypatch.undo()
    source_code._read.cache_clear()
