"""Token-budget batches: order, budget, shards, padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.data.batching import (
    BatchDataset,
    PrefetchingLoader,
    TokenBudgetSampler,
    cut_rows,
    input_sizes,
    is_stand_in,
    make_loader,
    num_tokens,
    num_tokens_at_once,
)
from atinuke_bench.data.features import INPUT_LENGTHS, Encoded, Ragged, cached_encoded, load_encoded, save_encoded

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=120).map(np.array)


def encoded_of(lengths):
    rows = [[row + 1] * int(length) for row, length in enumerate(lengths)]
    return Encoded(
        {"input_ids": Ragged.from_rows(rows)},
        np.arange(len(rows)),
        {"label": np.arange(len(rows))},
        host={"place": Ragged.from_rows([[row] for row in range(len(rows))], padding=9)},
    )


def shards_of(lengths, budget, seed, num_shards, epoch=0):
    shards = []
    for shard in range(num_shards):
        sampler = TokenBudgetSampler(lengths, budget, seed=seed, num_epochs=3, shard=shard, num_shards=num_shards)
        sampler.set_epoch(epoch)
        shards.append(list(sampler))
        assert len(shards[-1]) == len(sampler)
    return shards


@given(LENGTHS, st.integers(1, 64), st.integers(1, 8), st.integers(0, 2))
@settings(deadline=None, max_examples=60)
def test_shards_together_evaluate_every_row_once_and_none_is_idle(lengths, budget, num_shards, epoch):
    shards = shards_of(lengths, budget, None, num_shards, epoch)
    batches = [batch for shard in shards for batch in shard]
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert all(shards), "every process has a batch, of no row where there are fewer rows than processes"
    assert all(len(batch) <= 1 or len(batch) * lengths[batch].max() <= budget for batch in batches)
    assert sum(not len(batch) for batch in batches) == max(0, num_shards - len(lengths))


@given(LENGTHS, st.integers(1, 64), st.integers(0, 5), st.integers(1, 8), st.integers(0, 2))
@settings(deadline=None, max_examples=60)
def test_the_shards_of_a_step_are_the_batch_that_one_process_would_take(lengths, budget, seed, num_shards, epoch):
    (alone,) = shards_of(lengths, budget, seed, 1, epoch)
    assert set(np.concatenate(alone)) == set(range(len(lengths)))
    for batch, *parts in zip(alone, *shards_of(lengths, budget, seed, num_shards, epoch), strict=True):
        assert sorted(np.concatenate(parts)) == sorted(batch)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= budget


#: Lengths of the inputs of each row.
INPUTS = st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=6), min_size=1, max_size=60)


def several_inputs_of(inputs):
    return Encoded(
        {"input_ids": Ragged.from_rows([[1] * sum(row) for row in inputs]), INPUT_LENGTHS: Ragged.from_rows(inputs)},
        np.arange(len(inputs)),
    )


@given(INPUTS, st.integers(1, 100), st.integers(1, 4), st.sampled_from([None, 3]))
@settings(deadline=None, max_examples=60)
def test_the_inputs_of_a_row_are_counted_and_stay_together(inputs, budget, num_shards, seed):
    encoded = several_inputs_of(inputs)
    assert encoded.lengths.tolist() == [max(row) for row in inputs]
    assert encoded.input_lengths.tolist() == [length for row in inputs for length in row]
    data, seen = BatchDataset(encoded), []
    for shard in range(num_shards):
        sampler = TokenBudgetSampler(
            encoded.lengths, budget, seed=seed, shard=shard, num_shards=num_shards, num_inputs=encoded.num_inputs
        )
        for rows in sampler:
            if not len(rows):
                continue
            batch = data[rows]
            sizes = input_sizes(batch)
            size = sum(len(inputs[row]) for row in rows) * max(max(inputs[row]) for row in rows)
            assert num_tokens_at_once(batch, sizes) == size
            assert num_tokens(batch) == sum(sum(inputs[row]) for row in rows)
            assert len(rows) == 1 or size <= budget
            parts = cut_rows(batch, 20, sizes)
            assert torch.cat([part["rows"] for part in parts]).tolist() == rows.tolist()
            assert all(len(part["rows"]) == 1 or num_tokens_at_once(part, input_sizes(part)) <= 20 for part in parts)
            seen += rows.tolist()
    assert sorted(set(seen)) == list(range(len(inputs)))


@given(LENGTHS, st.integers(40, 400), st.integers(1, 7), st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_a_batch_of_training_has_at_most_as_many_rows_as_asked(lengths, budget, most, num_shards):
    samplers = [
        TokenBudgetSampler(lengths, budget, seed=1, batch_rows=most, shard=shard, num_shards=num_shards)
        for shard in range(num_shards)
    ]
    seen = []
    for parts in zip(*samplers, strict=True):
        rows = np.concatenate(parts)
        assert 1 <= len(rows) <= most
        assert len(rows) * lengths[rows].max() <= budget
        seen += rows.tolist()
    assert sorted(seen) == list(range(len(lengths)))


def test_batches_of_rows_are_full_where_the_budget_allows():
    lengths = np.random.default_rng(0).integers(5, 50, 1000)
    sampler = TokenBudgetSampler(lengths, 32 * 50, seed=0, batch_rows=32)
    sizes = sorted(len(rows) for rows in sampler)
    assert (len(sizes), sizes[0], sizes[1]) == (32, 8, 32)
    unset = TokenBudgetSampler(lengths, 32 * 50, seed=0)
    assert max(len(rows) for rows in unset) > 32


def test_order_is_a_function_of_seed_and_epoch_alone():
    lengths = np.random.default_rng(0).integers(1, 50, 500)

    def order(seed, epoch):
        sampler = TokenBudgetSampler(lengths, 200, seed=seed, num_epochs=3)
        sampler.set_epoch(epoch)
        return [batch.tolist() for batch in sampler]

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 1)
    assert order(1, 2) != order(2, 2)


def test_every_epoch_and_shard_has_the_same_number_of_batches():
    lengths = np.random.default_rng(0).integers(1, 50, 301)
    sampler = TokenBudgetSampler(lengths, 200, seed=0, num_epochs=5, num_shards=2)
    counts = {len(sampler.all_batches(epoch)) for epoch in range(5)}
    assert counts == {sampler.num_batches} == {len(sampler)}


def test_padding_stays_under_a_tenth():
    lengths = np.random.default_rng(0).gamma(4, 7, 20_000).astype(int) + 2
    assert TokenBudgetSampler(lengths, 2048, seed=0).padding_fraction() < 0.1


def test_a_batch_is_padded_masked_and_names_its_rows():
    loader = make_loader(encoded_of([3, 1]), TokenBudgetSampler(np.array([3, 1]), 8, seed=None))
    (batch,) = list(loader)
    assert batch["rows"].tolist() == [1, 0]
    assert batch["input_ids"].tolist() == [[2, 0, 0], [1, 1, 1]]
    assert batch["attention_mask"].tolist() == [[True, False, False], [True, True, True]]
    assert batch["label"].tolist() == [1, 0]
    assert batch["input_ids"].dtype == torch.int64
    assert set(batch) == {"input_ids", "attention_mask", "label", "rows"}, "no host column is sent to the device"


def test_for_a_gpu_rows_are_as_long_as_a_multiple_of_8_and_no_longer_than_the_longest():
    encoded = encoded_of([3, 9, 20])
    data = BatchDataset(encoded, torch.device("cuda"))
    widths = [data[np.arange(number)]["input_ids"].shape[1] for number in (1, 2, 3)]
    assert widths == [8, 16, 20]
    assert data[np.array([0])]["attention_mask"].sum() == 3


def test_a_thread_makes_the_same_batches_and_passes_errors_on():
    encoded = encoded_of([3, 1, 2, 4])
    plain = make_loader(encoded, TokenBudgetSampler(encoded.lengths, 4, seed=1))
    sampler = TokenBudgetSampler(encoded.lengths, 4, seed=1)
    ahead = PrefetchingLoader(BatchDataset(encoded), sampler=sampler, batch_size=None, generator=torch.Generator())
    rows = [batch["rows"].tolist() for batch in plain]
    assert [batch["rows"].tolist() for batch in ahead] == rows
    assert next(iter(ahead))["rows"].tolist() == rows[0], "one that is left early ends its thread"
    sampler.lengths, sampler.num_inputs = np.ones(5, dtype=int), np.ones(5, dtype=int)  # one row is not there
    with pytest.raises(IndexError):
        list(ahead)


def test_a_batch_of_no_rows_is_one_row_that_stands_in_for_none():
    data = BatchDataset(encoded_of([3, 1, 2]))
    batch = data[np.empty(0, dtype=np.int64)]
    assert is_stand_in(batch)
    assert batch["rows"].tolist() == [1], "the shortest"
    assert not is_stand_in(data[np.array([1])])


def test_features_survive_the_disk_and_damage_is_noticed(tmp_path):
    encoded = encoded_of([3, 1, 2])
    path = tmp_path / "features.safetensors"
    save_encoded(path, encoded)
    read = load_encoded(path)
    assert read is not None
    assert read.ragged["input_ids"].pad([0, 1, 2]).tolist() == encoded.ragged["input_ids"].pad([0, 1, 2]).tolist()
    assert read.fixed["label"].tolist() == [0, 1, 2]
    assert list(read.ragged) == ["input_ids"]
    assert read.host["place"].values.tolist() == [0, 1, 2]
    assert read.host["place"].padding == 9
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert load_encoded(path) is None
    assert load_encoded(tmp_path / "absent") is None


def test_taken_rows_keep_all_their_columns():
    taken = encoded_of([3, 1, 2]).take([2, 0])
    assert taken.ragged["input_ids"].pad([0, 1]).tolist() == [[3, 3, 0], [1, 1, 1]]
    assert taken.fixed["label"].tolist() == taken.example_index.tolist() == [2, 0]
    assert taken.host["place"].values.tolist() == [2, 0]


def test_damaged_cache_is_built_anew(tmp_path):
    built = []

    def build():
        built.append(1)
        return encoded_of([2])

    cached_encoded(tmp_path, "key", build)
    cached_encoded(tmp_path, "key", build)
    assert len(built) == 1
    (tmp_path / "features" / "key.safetensors").write_bytes(b"junk")
    cached_encoded(tmp_path, "key", build)
    assert len(built) == 2
    cached_encoded(tmp_path, "other", lambda: encoded_of([5]))
    (tmp_path / "features" / "other.safetensors").replace(tmp_path / "features" / "key.safetensors")
    assert cached_encoded(tmp_path, "key", build).lengths.tolist() == [2]
