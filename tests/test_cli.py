"""The command line as a user meets it: output, exit status, one-line errors."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from atinuke_bench.cli.shared import _InOrderOfUse
from atinuke_bench.sealed import sealed

QUICK = [
    "--preset",
    "nano",
    "--wandb",
    "disabled",
    "--set",
    "training.max_epochs=1",
    "--set",
    "tokenizer.vocab_size=200",
]


@pytest.fixture
def run(cli, official, tmp_path):
    """`run(*arguments)`: `atinuke-bench run` on small files."""

    def call(*arguments, data=official):
        return cli("run", "--data-dir", data, "--out", tmp_path / "runs", *QUICK, *arguments)

    return call


@pytest.fixture
def damaged(official, tmp_path):
    """`damaged(name, change)`: a copy of the official files, one of them changed by a function of its bytes."""

    def make(name, change):
        folder = tmp_path / "damaged"
        shutil.copytree(official, folder)
        path = folder / name
        path.write_bytes(change(path.read_bytes()))
        return folder

    return make


def test_help_names_every_command_with_an_example(cli):
    top = cli("--help")
    commands = ("run", "suite", "score", "submit", "tasks", "cores", "show", "doctor")
    assert all(f"  {command} " in top.out for command in commands)
    for command in commands:
        assert "Example: atinuke-bench" in cli(command, "--help").out


def test_run_prints_its_row_and_folder_and_show_reads_it(run, cli):
    done = run("--task", "snli", "--core", "atinuke")
    assert done.status == 0
    assert "atinuke-nano" in done.out
    assert "own data: not comparable with published scores" in done.err
    assert "epoch 1/1" in done.err
    folder = done.out.strip().splitlines()[-1]
    shown = cli("show", folder)
    assert "data_fingerprint" in shown.out
    assert "gold label neutral: accuracy" in shown.out
    figures = dict(line.split()[:2] for line in shown.out.splitlines() if len(line.split()) == 2)
    result = json.loads(cli("show", folder, "--json").out)
    assert int(figures["best_epoch"]) == result["selection"]["best_epoch"] + 1
    assert float(figures["latency_seconds"]) > 0
    assert json.loads(cli("show", folder, "--json").out)["task"] == "snli"


def test_a_finished_run_is_shown_where_its_plug_in_is_not_installed(run, cli):
    folder = Path(run("--task", "snli", "--core", "majority").out.strip().splitlines()[-1])
    for name in ("config.yaml", "result.json"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace("majority", "gone"))
    result = json.loads((folder / "result.json").read_text())
    del result["sha256"]
    (folder / "result.json").write_text(json.dumps(sealed(result)))
    shown = cli("show", folder)
    assert "gone" in shown.out
    assert shown.err == ""


def test_a_finished_run_of_other_code_is_said_and_trained_again_by_rerun(run, cli):
    arguments = ("--task", "snli", "--core", "bilstm")
    folder = Path(run(*arguments).out.strip().splitlines()[-1])
    manifest = json.loads((folder / "manifest.json").read_text())
    for digests in manifest["code"].values():
        digests["atinuke_bench.core.bilstm"] = "another"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    said = "finished earlier with other code (atinuke_bench.core.bilstm)"
    assert said in run(*arguments).err
    assert said in cli("show", folder).err
    done = run(*arguments, "--rerun")
    assert said not in done.err
    assert "epoch 1/1" in done.err
    assert json.loads((folder / ".earlier-1" / "manifest.json").read_text()) == manifest
    run(*arguments, "--rerun")
    assert (folder / ".earlier-2" / "result.json").exists()
    assert "1 finished runs, 0 damaged" in cli("verify", folder.parents[2]).err
    assert said in cli("show", folder / ".earlier-1").err


def test_json_is_one_document_alone(run):
    done = run("--task", "glue/wnli", "--core", "majority", "--json")
    record = json.loads(done.out)
    assert record["core"] == "majority"
    assert record["score"] == pytest.approx(50.0)


def test_a_run_that_was_interrupted_is_shown_as_such(run, cli, tmp_path, monkeypatch):
    from atinuke_bench.training.module import TaskModule

    def interrupt(self, batch, batch_index):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TaskModule, "training_step", interrupt)
        stopped = run("--task", "snli", "--core", "atinuke")
    assert stopped.status == 130
    assert "the same command goes on" in stopped.err
    (failure,) = (tmp_path / "runs").rglob("failure.json")
    assert "failed (killed)" in cli("show", failure.parent).out
    assert run("--task", "snli", "--core", "atinuke").status == 0


MISTAKES = [
    (["--task", "snlj", "--core", "atinuke"], "no task 'snlj'; nearest: 'snli'"),
    (["--task", "glue/sst-2", "--core", "atinuke"], "nearest: 'glue/sst2'"),
    (["--task", "snli", "--core", "atenuke"], "no core 'atenuke'; nearest: 'atinuke'"),
    (
        ["--task", "snli", "--core", "atinuke", "--preset", "micra"],
        "no preset of core 'atinuke' 'micra'; nearest: 'micro'",
    ),
    (
        ["--task", "snli", "--core", "atinuke", "--set", "core.num_head=3"],
        "unknown field 'core.num_head'; AtinukeConfig has no 'num_head'; nearest: 'core.num_heads'",
    ),
    (
        ["--task", "snli", "--core", "atinuke", "--set", "core.num_heads=3"],
        "num_heads must divide hidden_size; found num_heads 3 and hidden_size 64; nearest: num_heads 2",
    ),
    (["--task", "snli", "--core", "bilstm", "--set", "core.num_heads=2"], "BiLSTMConfig has no 'num_heads'"),
    (["--task", "snli", "--core", "atinuke", "--set", "training.max_epochs=soon"], "training.max_epochs: "),
    (["--task", "snli", "--core", "atinuke", "--set", "training=3"], "'training' is a group of fields"),
    (["--task", "snli", "--core", "atinuke", "--set", "epochs"], "an override is written path.to.field=value"),
    (["--task", "snli", "--core", "atinuke", "--wandb", "ofline"], "no W&B mode 'ofline'; nearest: 'offline'"),
    (["--task", "snli", "--core", "atinuke", "--source", "hup"], "source.kind: "),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_is_one_line_and_status_2(run, arguments, message):
    done = run(*arguments)
    assert done.status == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert message in done.err


DAMAGES = [
    ("snli", "snli/snli_1.0_dev.jsonl", lambda old: old.replace(b'"neutral"', b'"neutrol"', 1), "nearest: 'neutral'"),
    ("snli", "snli/snli_1.0_train.jsonl", lambda old: old.replace(b"Ada", b"\xff\xfe", 1), "not valid UTF-8"),
    ("snli", "snli/snli_1.0_train.jsonl", lambda old: b"", "file is empty"),
    ("snli", "snli/snli_1.0_train.jsonl", lambda old: b'{"gold_label": \n' + old, "_train.jsonl:1: "),
    ("glue/rte", "glue/RTE/train.tsv", lambda old: old + b"40\tone column\n", "train.tsv:42: every row"),
    (
        "glue/rte",
        "glue/RTE/dev.tsv",
        lambda old: old.replace(b"entailment", b"entailmint", 1),
        "dev.tsv:2: label: unknown",
    ),
    (
        "glue/stsb",
        "glue/STS-B/dev.tsv",
        lambda old: old.replace(b"\t1.000", b"\t7.5", 1),
        "between 0 and 5; found '7.5'",
    ),
]


@pytest.mark.parametrize(("task", "name", "change", "message"), DAMAGES)
def test_bad_data_is_named_with_file_and_line(run, damaged, task, name, change, message):
    done = run("--task", task, "--core", "atinuke", data=damaged(name, change))
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert name.rpartition("/")[2] in done.err
    assert message in done.err


def test_a_missing_and_a_cut_off_file_are_named(run, damaged):
    folder = damaged("snli/snli_1.0_train.jsonl", lambda old: old)
    path = folder / "snli/snli_1.0_train.jsonl"
    content = path.read_bytes()
    path.unlink()
    assert (
        "file not found; looked for snli_1.0_train.jsonl" in run("--task", "snli", "--core", "atinuke", data=folder).err
    )
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(content)[:-20])
    assert "truncated or damaged gzip" in run("--task", "snli", "--core", "atinuke", data=folder).err


def test_a_mistake_leaves_earlier_results_as_they_are(run, tmp_path):
    run("--task", "glue/wnli", "--core", "majority")
    (result,) = (tmp_path / "runs").rglob("result.json")
    before = result.read_bytes()
    assert run("--task", "glue/wnli", "--core", "majority", "--set", "core.depth=1").status == 2
    assert result.read_bytes() == before


def test_a_run_is_repeated_from_its_config(run, cli, official, tmp_path):
    """The same run, also where its data lies elsewhere; another seed and setting make another one."""
    asked = ("--task", "glue/wnli", "--core", "majority")
    first = json.loads(run(*asked, "--seed", "4", "--json").out)
    config = Path(first["folder"]) / "config.yaml"

    def repeat(*arguments):
        return cli("run", "--config", config, *arguments, "--data-dir", official, "--out", tmp_path / "runs")

    again = json.loads(repeat("--json").out)
    assert again == first
    changed = json.loads(repeat("--seed", "5", "--set", "training.train_limit=9", "--json").out)
    assert changed["seed"] == 5
    assert "train_limit: 9" in (Path(changed["folder"]) / "config.yaml").read_text()
    for given, message in (
        (("--task", "snli"), "--config says what --task would say; leave out the one or the other"),
        (("--set", "training.epochs=9"), "TrainingConfig has no 'epochs'; nearest: 'training.max_epochs'"),
        (("--config", tmp_path / "none.yaml"), "none.yaml: "),
    ):
        done = repeat(*given)
        assert done.status == 2
        assert message in done.err
        assert len(done.err.splitlines()) == 1


def test_a_run_without_a_task_says_what_it_needs(cli):
    done = cli("run", "--task", "snli")
    assert done.status == 2
    assert done.err.strip().endswith("a run needs --task and --core, or --config with the config.yaml of another run")


def test_a_store_that_cannot_be_written_is_said(cli, official, tmp_path):
    (tmp_path / "file").write_text("")
    done = cli("run", "--task", "snli", "--core", "majority", "--data-dir", official, "--out", tmp_path / "file")
    assert done.status == 2
    assert "folder cannot be created (Not a directory)" in done.err


def test_damaged_best_weights_are_set_aside_and_trained_again(run, tmp_path):
    run("--task", "snli", "--core", "atinuke")
    (result,) = (tmp_path / "runs").rglob("result.json")
    result.unlink()
    best = result.parent / "checkpoints" / "best.safetensors"
    whole = best.read_bytes()
    best.write_bytes(whole[:-9])
    done = run("--task", "snli", "--core", "atinuke")
    assert done.status == 0
    assert "training starts anew" in done.err
    assert best.read_bytes() == whole
    assert (result.parent / ".damaged-1" / best.name).read_bytes() == whole[:-9]


def test_score_prints_official_names(cli, tmp_path):
    gold = tmp_path / "dev.tsv"
    gold.write_text("index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n1\ta\tb\tnot_entailment\n")
    predictions = tmp_path / "predictions.tsv"
    predictions.write_text("index\tprediction\n0\tentailment\n1\tentailment\n")
    done = cli("score", "glue/rte", "--gold", gold, "--predictions", predictions, "--json")
    assert json.loads(done.out) == {"accuracy": 50.0, "total": 2}
    predictions.write_text("index\tprediction\n0\tentailment\n")
    done = cli("score", "glue/rte", "--gold", gold, "--predictions", predictions)
    assert done.status == 2
    assert "without one: 'gold-1'" in done.err


def test_show_of_something_else_is_an_error(cli, tmp_path):
    done = cli("show", tmp_path)
    assert done.status == 2
    assert "cannot be read as a run's config" in done.err
    assert done.err.count("\n") == 1


def test_tasks_cores_and_doctor_answer(cli):
    assert {row["task"] for row in json.loads(cli("tasks", "--json").out)} >= {"snli", "glue/ax"}
    assert "micro" in cli("cores").out
    assert json.loads(cli("doctor", "--json").out)["versions"]["torch"]


def test_suite_carries_out_a_grid_and_does_not_repeat_it(cli, official, tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text(
        "name: grid\ntasks: [snli]\nseeds: [0, 1]\n"
        "cores: {floor: {core: majority, preset: nano}, ours: {core: atinuke, preset: nano}}\n"
        "overrides: {training.max_epochs: 1, tokenizer.vocab_size: 200}\n"
    )
    arguments = (
        "suite",
        file,
        "--data-dir",
        official,
        "--out",
        tmp_path / "runs",
        "--workers",
        2,
        "--wandb",
        "disabled",
    )
    assert cli(*arguments, "--dry-run").out.count("\n") == 4
    done = cli(*arguments)
    assert done.status == 0
    assert "(n=2)" in done.out
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("result.json")}
    assert len(times) == 4
    assert cli(*arguments).out == done.out
    assert times == {path: path.stat().st_mtime_ns for path in times}


def test_a_suite_with_a_mistake_is_refused_before_anything_runs(cli, official, tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text("name: grid\ntasks: [snli]\nseedz: [0]\ncores: {a: {core: atinuke}}\n")
    done = cli("suite", file, "--data-dir", official)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "seedz: unknown field; nearest: 'seeds'" in done.err or "seeds: Field required" in done.err
    assert "nearest: 'quick'" in cli("suite", "quik", "--data-dir", official).err


def test_what_other_tools_call_a_command_is_answered_with_ours(cli):
    known = set(cli("--help").out.split())
    for other, ours in _InOrderOfUse.elsewhere.items():
        assert other not in known
        assert ours in known
        told = cli(other, "--task", "snli")
        assert told.status == 2
        assert f"No such command '{other}'. Did you mean '{ours}'?" in told.err
