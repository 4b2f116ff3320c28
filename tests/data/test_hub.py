"""`load_hub`: the `datasets` library itself reads from a loopback server that speaks the Hub's API."""

from __future__ import annotations

import io
import math
import socket
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

LABELS = ("entailment", "not_entailment")
RTE = {
    "repo": "org/rte",
    "config": "rte",
    "splits": {"train": "train", "dev": "validation"},
    "columns": {"premise": "sentence1", "hypothesis": "sentence2", "idx": "id"},
}
# The names of the labels stand in the other order than in `LABELS`.
CARD = """---
configs:
- config_name: rte
  data_files:
  - split: train
    path: rte/train-*
  - split: validation
    path: rte/validation-*
dataset_info:
- config_name: rte
  features:
  - name: premise
    dtype: string
  - name: hypothesis
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': not_entailment
          '1': entailment
  - name: idx
    dtype: int32
---
"""


def parquet(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def rows(labels: list[int], text: str = "") -> bytes:
    premises = [f'a "{text}"\u2028{number}' for number in range(len(labels))]
    return parquet(
        premise=premises, hypothesis=["h"] * len(labels), label=labels, idx=pa.array(range(len(labels)), pa.int32())
    )


def rte(text: str = "") -> dict[str, bytes]:
    return {
        "README.md": CARD.encode(),
        "rte/train-00000-of-00001.parquet": rows([0, 1, 1], text),
        "rte/validation-00000-of-00001.parquet": rows([1, -1]),
    }


@pytest.fixture(scope="module")
def load(hub: Any, hub_worker: Callable[[str], Any]) -> Callable[..., dict[str, Any]]:
    return hub_worker(hub.endpoint)


def test_rows_become_canonical_and_the_commit_is_recorded(hub, load) -> None:
    commit = hub.publish("org/rte", rte())
    loaded = load(RTE, LABELS)
    assert loaded["splits"]["train"] == {
        "id": ["train-0", "train-1", "train-2"],
        "sentence1": ['a ""\u20280', 'a ""\u20281', 'a ""\u20282'],
        "sentence2": ["h", "h", "h"],
        "label": [1, 0, 0],  # by name: the Hub's 0 is not_entailment
    }
    assert loaded["splits"]["dev"]["label"] == [0, -1]
    assert loaded["revision"] == commit
    assert loaded["features"] == "True"
    assert set(loaded["files"]) == {"rte/train-00000-of-00001.parquet", "rte/validation-00000-of-00001.parquet"}
    assert not loaded["torch"]


def test_a_pinned_revision_is_read_though_newer_ones_exist(hub, load) -> None:
    pinned = hub.publish("org/pinned", rte("old"), tag="v1")
    newest = hub.publish("org/pinned", rte("new"))
    source = {**RTE, "repo": "org/pinned"}
    by_default = load(source, LABELS)
    declared = load({**source, "revision": pinned}, LABELS)
    asked = load({**source, "revision": newest}, LABELS, revision="v1")
    assert by_default["revision"] == newest
    assert declared["revision"] == asked["revision"] == pinned
    assert "old" in declared["splits"]["train"]["sentence1"][0]
    assert declared["fingerprint"] == asked["fingerprint"] != by_default["fingerprint"]


def test_changed_content_has_another_fingerprint(hub, load) -> None:
    source = {**RTE, "repo": "org/moving"}
    hub.publish("org/moving", rte("before"))
    before, again = load(source, LABELS), load(source, LABELS)
    hub.publish("org/moving", rte("after"))
    after = load(source, LABELS)
    assert before == again
    assert "after" in after["splits"]["train"]["sentence1"][0]
    assert after["fingerprint"] != before["fingerprint"]
    downloads = [line for line in hub.requests if line.startswith("GET /datasets/org/moving") and "train" in line]
    assert len(downloads) == 2


def test_a_damaged_cache_is_not_served(hub, load) -> None:
    hub.publish("org/damaged", rte("intact"))
    source = {**RTE, "repo": "org/damaged"}
    assert "error" not in load(source, LABELS)
    (cached,) = load.home.glob("hub/datasets--org--damaged/snapshots/*/rte/train-*")
    blob = cached.resolve()
    blob.chmod(0o644)
    blob.write_bytes(rows([0, 0, 0], "other"))
    error = load(source, LABELS)["error"]
    assert str(blob) in error
    assert "not the file on the Hub" in error
    blob.unlink()
    assert "intact" in load(source, LABELS)["splits"]["train"]["sentence1"][0]
    assert not list(load.home.rglob("*.arrow"))


def test_labels_without_names_scores_and_missing_ids(hub, load) -> None:
    score = pa.array([3.8, -1.0], pa.float32())
    hub.publish(
        "org/scores", {"data/train-0.parquet": parquet(sentence1=["a", "b"], sentence2=["c", "d"], label=score)}
    )
    source = {"repo": "org/scores", "config": "default", "splits": {"train": "train"}}
    train = load(source, None)["splits"]["train"]
    assert train["label"][0] == 3.8
    assert math.isnan(train["label"][1])
    assert train["id"] == ["train-0", "train-1"]
    hub.publish("org/plain", {"data/train-0.parquet": parquet(sentence=["a", "b", "c"], label=[1, 0, None])})
    source = {**source, "repo": "org/plain", "columns": {"sentence": "sentence1"}}
    assert load(source, ("0", "1"), pair=False)["splits"]["train"] == {
        "id": ["train-0", "train-1", "train-2"],
        "sentence1": ["a", "b", "c"],
        "label": [1, 0, -1],
    }


@pytest.mark.parametrize(
    ("changes", "labels", "revision", "expected"),
    [
        ({"repo": "org/nothing"}, LABELS, None, "org/nothing: no such data set on the Hub"),
        ({}, LABELS, "v9", "org/rte@v9: the Hub has no such revision of this data set"),
        ({"config": "rta"}, LABELS, None, "BuilderConfig 'rta' not found. Available: ['rte']"),
        ({"splits": {"dev": "validatoin"}}, LABELS, None, "no split 'validatoin'; nearest: 'validation'"),
        ({"columns": {"text": "sentence1"}}, LABELS, None, "split train: text: no such column; found premise,"),
        ({}, ("yes", "no"), None, "labels must be yes, no; found not_entailment, entailment"),
        ({"repo": "org/text"}, LABELS, None, "only parquet data sets on the Hub are read"),
        ({"repo": "org/broken"}, LABELS, None, "org/broken (rte): cannot be read"),
        ({"repo": "org/repeats"}, LABELS, None, "ids must be unique; some repeat"),
        ({"repo": "org/odd"}, ("0", "1"), None, "a label lies between 0 and 1, or is -1; found 7"),
    ],
)
def test_errors_are_one_line(hub, load, changes, labels, revision, expected) -> None:
    if "org/rte" not in hub.repositories:
        hub.publish("org/rte", rte())
    plain_card = CARD[: CARD.index("dataset_info")] + "---\n"
    train, dev = (f"rte/{split}-0.{{}}" for split in ("train", "validation"))
    csv = b"premise,hypothesis,label,idx\na,b,0,0\n"
    repeated = parquet(premise=["a", "b"], hypothesis=["c", "d"], label=[0, 0], idx=[1, 1])
    for name, ending, content in [
        ("org/text", "csv", csv),
        ("org/broken", "parquet", b"PAR1 not really"),
        ("org/repeats", "parquet", repeated),
        ("org/odd", "parquet", rows([7])),
    ]:
        if name not in hub.repositories:
            hub.publish(
                name, {"README.md": plain_card.encode(), train.format(ending): content, dev.format(ending): content}
            )
    error = load({**RTE, **changes}, labels, revision=revision)["error"]
    assert expected in error
    assert "\n" not in error


def test_an_unreachable_hub_is_a_one_line_error(hub_worker) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        error = hub_worker(endpoint)(RTE, LABELS)["error"]
    assert error.startswith(f"org/rte: cannot be read from {endpoint}: ")
    assert "--source local" in error
    assert "\n" not in error


def test_a_socks_proxy_in_the_environment_is_a_one_line_error(hub_worker) -> None:
    load = hub_worker("http://hub.invalid", ALL_PROXY="socks5://ada:secret@127.0.0.1:9", NO_PROXY="")
    error = load(RTE, LABELS)["error"]
    assert error.startswith("org/rte: cannot be read from http://hub.invalid: ")
    assert "SOCKS" in error
    assert "--source local" in error
    assert "secret" not in error
