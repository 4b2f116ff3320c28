"""What is said of attention heads, against what is computed by hand."""

from __future__ import annotations

import copy
import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from atinuke_bench.core.attention_heads import watched
from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.data.tokenizer import special_tokens
from atinuke_bench.metrics.units import FEWEST_UNITS
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.attention.carry_out import look
from atinuke_bench.runs.attention.curve import cost_of, points_of
from atinuke_bench.runs.attention.gradients import gradients, importance_samples
from atinuke_bench.runs.attention.opened import open_run
from atinuke_bench.runs.attention.patterns import RELATIONS, patterns
from atinuke_bench.runs.attention.scores import Scorer

SIZES = {
    "snli": {"train": 12, "dev": 4, "test": 6},
    "srl": {"train": 20, "dev": 6, "test": 10},
    "coref": {"train": 4, "dev": 2, "test": 3},
}


def test_masking_equals_computing_again_by_hand(opened_at_random):
    opened = opened_at_random("srl", "atinuke", SIZES["srl"])
    scorer = Scorer(opened)
    whole = scorer.with_all()
    changed = 0
    for place, (layer, head) in enumerate(opened.heads):
        by_hand = copy.deepcopy(opened.predictor)
        attention = by_hand.module.core.attention_layers()[layer]
        own = slice(head * attention.head_size, (head + 1) * attention.head_size)
        with torch.no_grad():
            attention.output.weight[:, own] = 0.0
        predicted = by_hand.decode(opened.on.examples, opened.on.encoded)
        masked = scorer.without(place)
        assert list(masked.answers.predicted) == [predicted[id_] for id_ in masked.answers.ids]
        changed += masked.answers.predicted != whole.answers.predicted
    assert changed, "some head matters for some answer"


@pytest.mark.parametrize("task", ["snli", "srl", "coref"])
def test_the_gradient_of_a_gate_is_that_of_the_weights_it_scales(opened_at_random, task):
    """Of one row at a time, whatever inputs it has: d loss / d gate = the sum of weight * gradient of its columns."""
    opened = opened_at_random(task, "atinuke", SIZES[task], **{"training.max_length": 48})
    module, part = opened.predictor.module, opened.on
    together = gradients(opened, part, lambda num_rows: None)
    assert np.isfinite(together).all()
    for row in range(len(part.encoded)):
        module.zero_grad()
        module.loss(module.feed(BatchDataset(part.encoded)[np.array([row])])).backward()
        alone = []
        for layer in opened.layers:
            scaled = (layer.output.weight * layer.output.weight.grad).sum(dim=0)
            alone += scaled.unflatten(0, (layer.num_heads, -1)).sum(dim=1).tolist()
        np.testing.assert_allclose(together[row], alone, rtol=2e-3, atol=2e-5)
    sample = importance_samples(part, together)[0]
    assert sample.value() == pytest.approx(np.abs(together[:, 0]).mean())
    assert set(sample.units) == {part.units[place] for place in part.encoded.example_index}


def _attention(opened, batch):
    """Probabilities of each layer, and which keys are seen."""
    seen = {}
    with torch.inference_mode(), watched(opened.layers, lambda layer, *own: seen.update({layer: own})):
        opened.predictor.module.outputs(batch)
    return seen


@pytest.mark.parametrize("core", ["atinuke", "transformer"])
def test_patterns_are_what_loops_over_attention_find(opened_at_random, core):
    opened = opened_at_random("srl", core, SIZES["srl"])
    found, part = patterns(opened, lambda num_rows: None), opened.on
    assert found is not None
    assert found.relations == (*RELATIONS, "predicate")
    specials, links = special_tokens(opened.predictor.tokenizer), opened.predictor.task.links
    mass: dict[tuple[int, int], float] = {}
    chance: dict[tuple[int, int], float] = {}
    number: dict[tuple[int, int], int] = {}
    entropy: dict[int, float] = {}
    num_words = 0
    for row in range(len(part.encoded)):
        batch = BatchDataset(part.encoded)[np.array([row])]
        seen = _attention(opened, batch)
        ids = batch["input_ids"][0].tolist()
        words = [place for place, id_ in enumerate(ids) if id_ not in (specials.cls, specials.sep)]
        num_words += len(words)
        own = links.find(part.encoded, row)
        for query in words:
            linked = {int(key) for link in own if query in link.tokens for key in link.depend_on}
            sees = [key for key in range(len(ids)) if core == "transformer" or key <= query]
            others = [key for key in words if key in sees and key != query]
            cases = {
                "previous token": ([query - 1], others),
                "next token": ([query + 1], others),
                "itself": ([query], [*others, query]),
                "same token elsewhere": ([key for key in others if ids[key] == ids[query]], others),
                "first token": ([0], sees),
                "separators": ([key for key, id_ in enumerate(ids) if id_ == specials.sep], sees),
                "predicate": (linked, others),
            }
            for place, (layer, head) in enumerate(opened.heads):
                weights = seen[layer][0][0, head, query].tolist()
                entropy[place] = entropy.get(place, 0) - sum(w * np.log(w) for w in weights if w > 0)
                for name, (related, candidates) in cases.items():
                    related = [key for key in related if key in candidates]
                    if 0 < len(related) < len(candidates):
                        key = place, found.relations.index(name)
                        number[key] = number.get(key, 0) + 1
                        mass[key] = mass.get(key, 0) + sum(weights[one] for one in related)
                        share = len(related) / len(candidates)
                        chance[key] = chance.get(key, 0) + share * sum(weights[one] for one in candidates)
    assert any(relation == len(RELATIONS) for _, relation in mass)
    for key in np.ndindex(found.mass.shape[1:]):
        assert found.num_asking.sum(axis=0)[key] == number.get(key, 0)
        assert found.mass.sum(axis=0)[key] == pytest.approx(mass.get(key, 0), abs=1e-3)
        assert found.chance.sum(axis=0)[key] == pytest.approx(chance.get(key, 0), abs=1e-3)
        assert found.drawn.sum(axis=0)[key] == pytest.approx(chance.get(key, 0), rel=0.5, abs=3.0)
    for place in range(len(opened.heads)):
        assert found.entropy[place] * num_words == pytest.approx(entropy[place], rel=1e-3)
    if core == "atinuke":
        assert not found.num_asking[:, :, 1].any(), "a causal core sees no next token"


def test_links_of_coreference_lead_to_earlier_mentions(opened_at_random):
    opened = opened_at_random("coref", "transformer", SIZES["coref"], **{"training.max_length": 64})
    encoded, links = opened.on.encoded, opened.predictor.task.links
    found = [(row, link) for row in range(len(encoded)) for link in links.find(encoded, row)]
    assert found
    for row, link in found:
        lengths = encoded.ragged["segment_lengths"][row]
        start = int(lengths[: link.input].sum())
        words = encoded.ragged["piece_word"][row][start : start + lengths[link.input]]
        mentions = zip(*(encoded.ragged[f"gold_{name}"][row] for name in ("start", "end", "cluster")), strict=True)
        clusters = {(word, number) for first, last, number in mentions for word in range(first, last + 1)}
        shared = {number for word, number in clusters if word in words[link.depend_on]}
        assert any((word, number) in clusters for word in words[link.tokens] for number in shared)
        assert not set(link.tokens.tolist()) & set(link.depend_on.tolist())
        assert words[link.depend_on].min() <= words[link.tokens].max()


def test_a_curve_goes_from_all_heads_to_none_and_says_what_is_left(trained):
    opened = open_run(RunFolder(next((trained / "snli" / "transformer").iterdir())))
    record = look(opened, num_orders=2)
    assert record["score"] == pytest.approx(opened.result["score"]), "as the run was scored"
    points = record["curve"]["points"]
    assert [point["kept"] for point in points] == points_of(4) == [4, 3, 2, 1, 0]
    assert points[0]["score"] == points[0]["random"] == pytest.approx(record["score"])
    assert points[-1]["score"] == points[-1]["random"]
    whole, none = points[0], points[-1]
    size, per_head = 64, opened.layers[0].parameters_per_head
    assert whole["parameters"] - none["parameters"] == 4 * per_head == 2 * (4 * size * size + 3 * size)
    assert none["flops_per_token"] == pytest.approx(2 * 2 * 2 * size * 256), "what is left is the feed-forward part"
    some = cost_of(opened, np.array([True, False, True, True]))
    assert some["parameters"] == whole["parameters"] - per_head
    assert record["curve"]["selected_on"] == "held-out"
    assert record["num_units"] >= FEWEST_UNITS
    assert all(head["low"] <= head["drop"] <= head["high"] for head in record["heads"])
    selected_here = look(replace(opened, selection=None), num_orders=1)
    assert selected_here["curve"] is None
    assert "may not be chosen on the examples" in selected_here["notes"][0]


def test_pretrained_cores_are_looked_at_alike(opened_at_random, model_folder):
    opened = opened_at_random(
        "snli", "pretrained", SIZES["snli"], **{"core.model": str(model_folder("bert")), "training.max_length": 64}
    )
    assert opened.heads == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert np.isfinite(gradients(opened, opened.on, lambda num_rows: None)).all()
    found = patterns(opened, lambda num_rows: None)
    assert found is not None
    first, chance = found.mass[:, :, 4].sum(axis=0), found.chance[:, :, 4].sum(axis=0)
    assert first == pytest.approx(chance, rel=0.2), "random heads look at [CLS] as at any token"


def test_the_planted_head_is_found_first():
    spec = importlib.util.spec_from_file_location(
        "planted_head", Path(__file__).parents[3] / "benchmarks" / "planted_head.py"
    )
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    found = benchmark.planted(3, num_epochs=20, num_train=600, num_test=100)
    assert found["first_by_drop"], found
    assert found["first_on_curve"], found
    assert found["is_significant"], found
