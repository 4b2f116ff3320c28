"""SNLI and GLUE from the Hub's copies: `datasets` reads them from a loopback server that speaks the Hub's API."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

NLI = ["entailment", "neutral", "contradiction"]
TWO = ["entailment", "not_entailment"]
#: Config of the Hub's GLUE -> its text columns, its label names, its labelled and its unlabelled splits.
GLUE = {
    "cola": (["sentence"], ["unacceptable", "acceptable"], ["train", "validation"], ["test"]),
    "sst2": (["sentence"], ["negative", "positive"], ["train", "validation"], ["test"]),
    "mrpc": (["sentence1", "sentence2"], ["not_equivalent", "equivalent"], ["train", "validation"], ["test"]),
    "qqp": (["question1", "question2"], ["not_duplicate", "duplicate"], ["train", "validation"], ["test"]),
    "stsb": (["sentence1", "sentence2"], None, ["train", "validation"], ["test"]),
    "mnli": (
        ["premise", "hypothesis"],
        NLI,
        ["train", "validation_matched", "validation_mismatched"],
        ["test_matched", "test_mismatched"],
    ),
    "qnli": (["question", "sentence"], TWO, ["train", "validation"], ["test"]),
    "rte": (["sentence1", "sentence2"], TWO, ["train", "validation"], ["test"]),
    "wnli": (["sentence1", "sentence2"], ["not_entailment", "entailment"], ["train", "validation"], ["test"]),
    "ax": (["premise", "hypothesis"], NLI, [], ["test"]),
}


def card(configs):
    """The README that tells `datasets` of configurations, files and label names."""
    lines = ["---", "configs:"]
    for name, (_, _, labelled, hidden) in configs.items():
        lines += [f"- config_name: {name}", "  data_files:"]
        for split in [*labelled, *hidden]:
            lines += [f"  - split: {split}", f"    path: {name}/{split}-*"]
    lines.append("dataset_info:")
    for name, (texts, labels, _, _) in configs.items():
        lines += [f"- config_name: {name}", "  features:"]
        for text in texts:
            lines += [f"  - name: {text}", "    dtype: string"]
        lines.append("  - name: label")
        if labels is None:
            lines.append("    dtype: float32")
        else:
            lines += ["    dtype:", "      class_label:", "        names:"]
            lines += [f"          '{number}': {label}" for number, label in enumerate(labels)]
        lines += ["  - name: idx", "    dtype: int32"]
    return "\n".join([*lines, "---", ""]).encode()


def parquet(texts, labels, hidden, count=12):
    columns = {text: pa.array([f"{text} {n % 4} says" for n in range(count)]) for text in texts}
    if labels is None:
        values = pa.array([-1.0 if hidden else float(n % 6) for n in range(count)], pa.float32())
    else:
        values = pa.array([-1 if hidden else n % len(labels) for n in range(count)], pa.int64())
    buffer = io.BytesIO()
    pq.write_table(pa.table({**columns, "label": values, "idx": pa.array(range(count), pa.int32())}), buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def published(hub):
    """Both repositories on the loopback Hub; the commit of each."""
    files = {"README.md": card(GLUE)}
    for name, (texts, labels, labelled, hidden) in GLUE.items():
        for split in [*labelled, *hidden]:
            files[f"{name}/{split}-00000-of-00001.parquet"] = parquet(texts, labels, split in hidden)
    snli: dict[str, tuple[list[str], list[str], list[str], list[str]]]
    snli = {"plain_text": (["premise", "hypothesis"], NLI, ["train", "validation", "test"], [])}
    snli_files = {"README.md": card(snli)}
    for split in snli["plain_text"][2]:
        snli_files[f"plain_text/{split}-0.parquet"] = parquet(["premise", "hypothesis"], NLI, False)
    return {"glue": hub.publish("nyu-mll/glue", files), "snli": hub.publish("stanfordnlp/snli", snli_files)}


@pytest.fixture
def ask(hub, published, hub_environment, tmp_path):
    """`ask(*arguments)`: a Python process on the loopback Hub."""

    def call(*arguments):
        environment = hub_environment(hub.endpoint, tmp_path) | {"ATINUKE_CACHE": str(tmp_path / "cache")}
        return subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=120, cwd=tmp_path
        )

    return call


def test_every_task_reads_its_hub_copy(ask, published):
    code = """
import json
from atinuke_bench.config import SourceConfig
from atinuke_bench.registry import load_task, task_names
for name in task_names():
    if name == "snli" or name.startswith("glue/"):
        task = load_task(name)
        loaded = task.data.load(SourceConfig(kind="hub"), task.options_class())
        print(json.dumps({
            "task": name,
            "revision": loaded.revision,
            "sizes": {split: len(rows) for split, rows in loaded.splits.items()},
            "labelled": [split for split, rows in loaded.splits.items() if task.is_labelled(rows)],
            "first": {key: value for key, value in loaded.splits[task.splits.train][1].items()},
        }))
"""
    done = ask("-c", code)
    assert done.returncode == 0, done.stderr
    found = {record["task"]: record for record in map(json.loads, done.stdout.splitlines())}
    assert found.keys() == {"snli", *(f"glue/{name}" for name in GLUE)}
    assert {record["revision"] for name, record in found.items() if name != "snli"} == {published["glue"]}
    assert found["snli"]["revision"] == published["snli"]
    assert set(found["glue/mnli"]["sizes"]) == {
        "train", "dev_matched", "dev_mismatched", "test_matched", "test_mismatched", "ax"
    }  # fmt: skip
    assert found["glue/mnli"]["labelled"] == ["train", "dev_matched", "dev_mismatched"]
    assert found["glue/qnli"]["first"]["sentence1"] == "question 1 says"
    assert found["glue/qnli"]["first"]["id"] == "train-1"
    assert found["glue/wnli"]["first"]["label"] == 1
    assert found["glue/stsb"]["labelled"] == ["train", "dev"]


def test_a_run_from_the_hub_records_the_commit(ask, published, tmp_path):
    command = "run --task snli --core atinuke --preset nano --source hub --wandb disabled --json --out runs"
    small = "--set training.max_epochs=1 --set tokenizer.vocab_size=120"
    code = "import sys; from atinuke_bench.cli import main; sys.argv[0] = 'atinuke-bench'; main()"
    done = ask("-c", code, *command.split(), *small.split())
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["protocol"]["revision"] == published["snli"]
    assert result["protocol"]["source"] == "hub"
    manifest = json.loads((tmp_path / result["folder"] / "manifest.json").read_text())
    assert manifest["data"]["revision"] == published["snli"]
    refused = ask("-c", code, *command.split(), *small.split(), "--set", "source.revision=no-such-tag")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "stanfordnlp/snli@no-such-tag: the Hub has no such revision" in refused.stderr
