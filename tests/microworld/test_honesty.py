"""Results on generated data never look like results on real data."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from atinuke_bench.cli.shared import print_notes
from atinuke_bench.config import MicroworldConfig, SourceConfig, make_run_config
from atinuke_bench.console import result_row, suite_table
from atinuke_bench.microworld import NOTICE
from atinuke_bench.training.prepare import prepare


def _result(source: str) -> dict:
    figures = {"seed": 0, "split": "test", "metric": "accuracy", "score": 50.0, "interval": None, "seconds": 1.0}
    protocol = {"source": source, "is_cut": True, "selection": "held-out"}
    return {"task": "snli", "core_label": "atinuke", "cost": {}, "protocol": protocol, **figures}


def _shown(table: object) -> str:
    file = io.StringIO()
    Console(file=file, width=200).print(table)
    return " ".join(file.getvalue().split())


@pytest.mark.parametrize("table", [lambda result: result_row([result]), lambda result: suite_table([("a", result)])])
def test_every_table_says_so(table):
    assert NOTICE in _shown(table(_result("microworld")))
    assert NOTICE not in _shown(table(_result("local")))


def test_the_notes_below_a_table_do_not_repeat_it(capsys):
    print_notes(_result("microworld"))
    assert capsys.readouterr().err == ""


def test_a_generated_split_of_official_size_is_no_official_one():
    # RTE's dev set has 277 pairs; a generated one of that size is still none.
    source = SourceConfig(kind="microworld", microworld=MicroworldConfig(train=60, dev=277, test=20))
    protocol = prepare(make_run_config("glue/rte", "majority", source=source)).protocol()
    assert protocol["source"] == "microworld"
    assert protocol["is_cut"] is True


def test_settings_of_the_world_are_part_of_a_run():
    plain = make_run_config("snli", "majority", source=SourceConfig(kind="microworld"))
    harder = make_run_config("snli", "majority", source=SourceConfig(kind="microworld"),
                             overrides={"source.microworld.overlap": 0.5})  # fmt: skip
    assert harder.source.microworld == MicroworldConfig(overlap=0.5)
    assert plain.determinants() != harder.determinants()
    assert "microworld" not in make_run_config("snli", "majority").determinants()["source"]
