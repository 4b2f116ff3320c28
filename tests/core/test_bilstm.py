"""The BiLSTM against packed sequences, which define the right answer, and against the equations of a cell."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from atinuke_bench.core.bilstm import BiLSTMLayer, reversal_index


def packed_reference(layer: BiLSTMLayer, hidden, lengths):
    size = layer.forwards.hidden_size
    lstm = nn.LSTM(hidden.shape[-1], size, batch_first=True, bidirectional=True)
    weights = dict(layer.forwards.state_dict())
    weights |= {f"{name}_reverse": weight for name, weight in layer.backwards.state_dict().items()}
    lstm.load_state_dict(weights)
    packed = pack_padded_sequence(hidden, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(lstm(packed)[0], batch_first=True, total_length=hidden.shape[1])[0]


@pytest.mark.parametrize("lengths", [[6, 6, 6], [6, 1, 3], [2, 4, 1]])
def test_equals_packed_sequences_with_gradients(lengths):
    layer, hidden = BiLSTMLayer(8), torch.randn(3, 6, 8, requires_grad=True)
    attention_mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    found = layer(hidden, reversal_index(attention_mask)) * attention_mask[..., None]
    expected = packed_reference(layer, hidden, lengths)
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(found.square().sum(), hidden)
    (expected_gradient,) = torch.autograd.grad(expected.square().sum(), hidden)
    torch.testing.assert_close(gradient, expected_gradient)


def test_a_direction_follows_the_equations_of_the_cell():
    layer, hidden = BiLSTMLayer(8), torch.randn(1, 5, 8)
    of_input, of_state, input_bias, state_bias = layer.forwards.parameters()
    output = cell = torch.zeros(4)
    expected = []
    for vector in hidden[0]:
        sums = of_input @ vector + input_bias + of_state @ output + state_bias
        enter, forget, candidate, leave = sums.split(4)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(candidate)
        output = torch.sigmoid(leave) * torch.tanh(cell)
        expected.append(output)
    found = layer(hidden, reversal_index(torch.ones(1, 5, dtype=torch.bool)))
    torch.testing.assert_close(found[0, :, :4], torch.stack(expected))


def test_vectors_at_padding_are_zero(make):
    input_ids, attention_mask, _ = make.batch([6, 2])
    hidden = make.core("bilstm")(input_ids, attention_mask)
    assert (hidden[~attention_mask] == 0).all()


def test_the_forget_gate_starts_open(make):
    lstm = make.core("bilstm").layers[0].forwards
    bias = lstm.bias_ih_l0 + lstm.bias_hh_l0
    assert [gate.unique().tolist() for gate in bias.split(lstm.hidden_size)] == [[0.0], [1.0], [0.0], [0.0]]


def test_depth_adds_layers_and_nothing_else(make):
    shallow, deep = (set(make.core("bilstm", num_layers=depth).state_dict()) for depth in (1, 2))
    assert shallow < deep
    assert all(name.startswith("layers.1.") for name in deep - shallow)
