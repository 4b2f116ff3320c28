"""What the cost table says of attention's kernels."""

from __future__ import annotations

import pytest

from atinuke_bench.reports import read_frame
from atinuke_bench.reports.sections.cost import cost_table
from atinuke_bench.run_folder import RunFolder


@pytest.fixture
def costs(tmp_path, write_run):
    """The cost table of runs whose attention took the given kernels, by core and seed."""

    def table(kernels):
        for (core, seed), kernel in kernels.items():
            folder = RunFolder(write_run(tmp_path, core, seed=seed))
            result = folder.read_result()
            folder.write_result({**result, "cost": {**result["cost"], "attention_kernel": kernel}})
        return cost_table(read_frame([tmp_path]))

    return table


def test_kernels_are_shown_where_they_differ(costs):
    table = costs({("atinuke", 0): "flash", ("transformer", 0): "memory-efficient", ("bilstm", 0): None})
    shown = dict(zip(table.shown["core"], table.shown["attention"], strict=True))
    assert shown == {"atinuke-nano": "flash", "transformer-nano": "memory-efficient", "bilstm-nano": "–"}
    assert "different kernels" in table.notes[-1]


def test_runs_of_a_core_on_two_machines_name_both(costs):
    table = costs({("atinuke", 0): "flash", ("atinuke", 1): "math, memory-efficient"})
    assert table.shown["attention"].tolist() == ["flash, math, memory-efficient"]


def test_equal_kernels_take_no_column(costs):
    table = costs({("atinuke", 0): "flash", ("transformer", 0): "flash", ("bilstm", 0): None})
    assert "attention" not in table.shown
