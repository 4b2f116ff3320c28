"""What a newcomer meets: each message says what to do next."""

from __future__ import annotations

import pytest

from atinuke_bench import environment
from atinuke_bench.cli.shared import on_device
from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.errors import AtinukeBenchError
from atinuke_bench.runs import doctor
from atinuke_bench.training.prepare import prepare


def test_without_arguments_the_first_steps_are_named(cli):
    done = cli()
    shown = done.out + done.err
    for step in ("atinuke-bench suite smoke", "atinuke-bench task new", "docs/data.md"):
        assert step in shown


@pytest.mark.parametrize(
    ("task", "address"),
    [
        ("snli", "https://nlp.stanford.edu/projects/snli/ (CC BY-SA 4.0)"),
        ("glue/rte", "https://gluebenchmark.com/tasks"),
        ("squad-v2.0", "https://rajpurkar.github.io/SQuAD-explorer/"),
        ("coref", "https://github.com/dbamman/litbank"),
        ("srl", "https://github.com/propbank/propbank-release"),
        ("superglue/copa", "https://super.gluebenchmark.com/tasks"),
        ("tagging/conll2003", "https://www.clips.uantwerpen.be/conll2003/ner/"),
    ],
)
@pytest.mark.parametrize("place", [None, "empty"])
def test_missing_data_says_where_it_is_to_be_had(tmp_path, monkeypatch, task, address, place):
    monkeypatch.delenv("ATINUKE_DATA", raising=False)
    (tmp_path / "empty").mkdir()
    source = SourceConfig(data_dir=None if place is None else tmp_path / place)
    with pytest.raises(AtinukeBenchError) as caught:
        prepare(make_run_config(task, "bilstm", source=source))
    assert address in str(caught.value)
    assert "docs/data.md" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_own_data_that_is_not_there_names_no_address(own, make_own):
    (own / "test.jsonl").unlink()
    with pytest.raises(AtinukeBenchError) as caught:
        prepare(make_own(own / "reviews.yaml"))
    assert "the data:" not in str(caught.value)


def test_a_gpu_that_torch_cannot_use_is_said(monkeypatch, capsys):
    assert environment.unused_gpu() is None or environment._has_nvidia_driver()
    monkeypatch.setattr(environment, "_has_nvidia_driver", lambda: True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.version.cuda", None)
    monkeypatch.setattr("torch.version.hip", None)
    assert "install its build for CUDA" in (environment.unused_gpu() or "")
    assert doctor._advice()[0] == environment.unused_gpu()
    on_device(None, 30)
    assert capsys.readouterr().err.startswith("warning: this machine has an NVIDIA GPU that is not used")
    monkeypatch.setattr("torch.version.cuda", "12.8")
    assert "nvidia-smi" in (environment.unused_gpu() or "")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert environment.unused_gpu() is None
