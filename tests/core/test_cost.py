"""Counts of parameters and operations against counts made another way."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from atinuke_bench.core.cost import TRAINING_FACTOR, ParameterCount, bilstm_flops_per_token, count_parameters

#: Positions and windows that change who sees whom, and no product of matrices.
RESTRICTED = [{"positions": "alibi"}, {"attention_window": 2}, {"attention_window": 2, "causal": False}]


def measured_flops(run) -> int:
    # The counter does not know the CPU's fused attention kernel; the math kernel is made of products that it counts.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@pytest.mark.parametrize("name", ["atinuke", "transformer"])
@pytest.mark.parametrize(
    "changes", [{}, {"num_layers": 3, "num_heads": 4}, {"feedforward_size": 96}, {"causal": False}, *RESTRICTED]
)
def test_attention_formula_equals_the_counter(make, name, changes):
    core, batch = make.core(name, **changes), make.batch([10, 10, 7])
    assert measured_flops(lambda: core(*batch)) == 30 * core.flops_per_token(10)


def test_training_costs_three_forward_passes(make):
    core, batch = make.core("atinuke"), make.batch([10, 10, 7])
    measured = measured_flops(lambda: core(*batch).sum().backward())
    assert measured == TRAINING_FACTOR * 30 * core.flops_per_token(10)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_lstm_formula_equals_the_counter_on_cells_of_matrix_products(num_layers):
    size, batch, length = 16, 3, 5

    def run():
        hidden = torch.zeros(batch, length, size)
        for _ in range(num_layers):
            directions = []
            for _ in range(2):
                previous, outputs = torch.zeros(batch, size // 2), []
                for step in hidden.unbind(1):
                    gates = step @ torch.zeros(size, 4 * size // 2) + previous @ torch.zeros(size // 2, 4 * size // 2)
                    previous = gates[:, : size // 2]
                    outputs.append(previous)
                directions.append(torch.stack(outputs, 1))
            hidden = torch.cat(directions, -1)

    assert measured_flops(run) == batch * length * bilstm_flops_per_token(num_layers, size)


def test_lstm_cost_does_not_depend_on_the_length(make):
    core = make.core("bilstm")
    assert core.flops_per_token(8) == core.flops_per_token(800) == bilstm_flops_per_token(1, 64)


def test_parameters_of_an_attention_core_are_those_of_the_formula(make):
    core = make.core("transformer", max_positions=40)
    size, feedforward, layers = 64, 256, 2
    embedding = (50 + 2 + 40) * size
    layer = 4 * (size**2 + size) + 2 * size * feedforward + size + feedforward + 2 * 2 * size
    count = count_parameters(core)
    assert count == ParameterCount(total=embedding + layers * layer + 2 * size, embedding=embedding)
    assert count.total - count.embedding == layers * layer + 2 * size


def test_frozen_parameters_are_left_out_on_request(make):
    core = make.core("bilstm")
    core.token_embedding.requires_grad_(False)
    assert count_parameters(core, trainable_only=True).embedding == 2 * 64
    assert count_parameters(core).embedding == (50 + 2) * 64


def test_a_tied_head_counts_once():
    model = nn.ModuleDict({"embedding": nn.Embedding(10, 4), "head": nn.Linear(4, 10, bias=False)})
    model["head"].weight = model["embedding"].weight
    assert count_parameters(model) == ParameterCount(total=40, embedding=40)
