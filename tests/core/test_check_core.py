"""`check_core` finds what is wrong with a core, and finds nothing wrong with those that come with the package."""

from __future__ import annotations

import shutil
from itertools import product
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import nn

from atinuke_bench import registry
from atinuke_bench.config import CoreConfig, PretrainedConfig, core_config_class
from atinuke_bench.core.base import Core
from atinuke_bench.core.pretrained import PretrainedCore
from atinuke_bench.errors import PluginError
from atinuke_bench.testing import check_core


class SoundConfig(CoreConfig):
    presets: ClassVar = {"nano": {}}
    name: Literal["sound"] = "sound"


class SoundCore(Core):
    """The mean of the neighbourhood in one layer: as little as a core that is right can be."""

    config_class = SoundConfig

    def __init__(self, config, vocab_size):
        super().__init__(config, vocab_size)
        self.token, self.segment = nn.Embedding(vocab_size, 16), nn.Embedding(2, 16)
        self.layer, self.dropout = nn.Linear(16, 16), nn.Dropout(0.1)

    hidden_size = property(lambda self: 16)
    token_embedding = property(lambda self: self.token)

    def embed(self, ids, segments, embedded, mask):
        hidden = self.token(ids) if embedded is None else embedded
        return (hidden + self.segment(torch.zeros_like(mask).long() if segments is None else segments)) * mask[
            ..., None
        ]

    def forward(self, input_ids, attention_mask, segment_ids=None, inputs_embeds=None):
        hidden = self.embed(input_ids, segment_ids, inputs_embeds, attention_mask)
        before = nn.functional.pad(hidden, (0, 0, 1, 0))[:, :-1]
        return self.layer(self.dropout(hidden + before))

    def flops_per_token(self, length):
        return 2 * 16 * 16


class OneOperation(SoundCore):
    def flops_per_token(self, length):
        return 1


class MultiplyAddsAsOne(SoundCore):
    def flops_per_token(self, length):
        return 16 * 16


class OperationsOfTheText(SoundCore):
    def flops_per_token(self, length):
        return 2 * 16 * 16 * length


class HiddenLimit(SoundCore):
    def __init__(self, config, vocab_size):
        super().__init__(config, vocab_size)
        self.positions = nn.Embedding(1024, 16)

    def forward(self, input_ids, attention_mask, segment_ids=None, inputs_embeds=None):
        places = self.positions(torch.arange(attention_mask.shape[1]))
        return super().forward(input_ids, attention_mask, segment_ids, inputs_embeds) + places


class CutsLongTexts(SoundCore):
    def forward(self, input_ids, attention_mask, segment_ids=None, inputs_embeds=None):
        hidden = super().forward(input_ids, attention_mask, segment_ids, inputs_embeds)
        return hidden * (torch.arange(hidden.shape[1]) < 512)[:, None]


class IgnoresSegments(SoundCore):
    def forward(self, input_ids, attention_mask, segment_ids=None, inputs_embeds=None):
        return super().forward(input_ids, attention_mask, torch.zeros_like(attention_mask).long(), inputs_embeds)


class MeanOfTheBatch(SoundCore):
    def forward(self, input_ids, attention_mask, segment_ids=None, inputs_embeds=None):
        hidden = super().forward(input_ids, attention_mask, segment_ids, inputs_embeds)
        if not self.training:
            return hidden
        real = attention_mask[..., None]
        return hidden - (hidden * real).sum((0, 1)) / real.sum()


class LeaksAmidNoise(MeanOfTheBatch):
    """Draws that no rate rules hide no leak."""

    def forward(self, input_ids, attention_mask, segment_ids=None, inputs_embeds=None):
        hidden = super().forward(input_ids, attention_mask, segment_ids, inputs_embeds)
        return nn.functional.dropout(hidden, 0.1, self.training)


class BatchNormOverPadding(SoundCore):
    def __init__(self, config, vocab_size):
        super().__init__(config, vocab_size)
        self.norm = nn.BatchNorm1d(16)

    def forward(self, input_ids, attention_mask, segment_ids=None, inputs_embeds=None):
        hidden = super().forward(input_ids, attention_mask, segment_ids, inputs_embeds)
        return self.norm(hidden.transpose(1, 2)).transpose(1, 2)


class LooseTensor(SoundCore):
    def __init__(self, config, vocab_size):
        super().__init__(config, vocab_size)
        self.scale = torch.full((16,), 2.0)

    def forward(self, input_ids, attention_mask, segment_ids=None, inputs_embeds=None):
        return super().forward(input_ids, attention_mask, segment_ids, inputs_embeds) * self.scale


class LooseTensorsInAList(SoundCore):
    def __init__(self, config, vocab_size):
        super().__init__(config, vocab_size)
        setattr(self.layer, "tables", {"one": [torch.ones(16)]})  # noqa: B010 (no tensor, no module)


class BufferThatIsNotStored(SoundCore):
    def __init__(self, config, vocab_size):
        super().__init__(config, vocab_size)
        self.register_buffer("noise", torch.randn(16), persistent=False)

    def forward(self, input_ids, attention_mask, segment_ids=None, inputs_embeds=None):
        return super().forward(input_ids, attention_mask, segment_ids, inputs_embeds) + self.noise


FAULTS = {
    OneOperation: r"flops_per_token\(16\) is what is carried out.*found 1, and products of matrices alone take 512",
    MultiplyAddsAsOne: "found 256, and products of matrices alone take 512",
    OperationsOfTheText: "for one token; found 8192, counted 512",
    HiddenLimit: "`max_length` says where reading ends .it is None.; found IndexError",
    CutsLongTexts: "a text of 4100 tokens is read to its end.*; the last token changes nothing",
    IgnoresSegments: "segments are told apart, or the core says `takes_segments = False`",
    MeanOfTheBatch: "a row does not depend on the others of its batch in training",
    LeaksAmidNoise: "a row does not depend on the others of its batch in training",
    BatchNormOverPadding: "padding changes no real token in training",
    LooseTensor: r"every tensor of a core is a parameter or a buffer.*found \['scale'\]",
    LooseTensorsInAList: r"found \['layer.tables'\]",
    BufferThatIsNotStored: "a core with the same weights gives the same vectors",
}


def check(core_class, monkeypatch):
    monkeypatch.setattr(registry, "load_core", lambda name: core_class)
    check_core(SoundConfig.from_preset("nano"))


@pytest.mark.parametrize("core_class", FAULTS, ids=lambda core_class: core_class.__name__)
def test_a_fault_is_found(core_class, monkeypatch):
    with pytest.raises(AssertionError, match=FAULTS[core_class]):
        check(core_class, monkeypatch)


class TakesNoSegments(SoundCore):
    def forward(self, input_ids, attention_mask):  # type: ignore[override]  # which is the fault
        return super().forward(input_ids, attention_mask)


class TakesAnything(SoundCore):
    def forward(self, *args, **others):
        return super().forward(*args, **others)


class StatesNoCost(SoundCore):
    flops_per_token = Core.flops_per_token


def test_a_core_that_no_training_could_use_is_refused_in_one_line(monkeypatch):
    rule = "forward takes input_ids, attention_mask, segment_ids=None, inputs_embeds=None"
    with pytest.raises(PluginError, match=f"core 'sound' .*: {rule}; found input_ids, attention_mask;"):
        check(TakesNoSegments, monkeypatch)
    with pytest.raises(PluginError, match="needs its own `flops_per_token`; StatesNoCost has none"):
        check(StatesNoCost, monkeypatch)
    check(TakesAnything, monkeypatch)


def test_a_core_without_its_embedding_is_named(monkeypatch):
    monkeypatch.setattr(SoundCore, "token_embedding", Core.token_embedding)
    with pytest.raises(NotImplementedError, match="SoundCore needs a property `token_embedding`"):
        check(SoundCore, monkeypatch)


def test_a_sound_core_passes(monkeypatch):
    check(SoundCore, monkeypatch)


def test_what_a_core_declares_is_no_fault(monkeypatch):
    monkeypatch.setattr(IgnoresSegments, "takes_segments", False)
    check(IgnoresSegments, monkeypatch)
    monkeypatch.setattr(SoundConfig, "max_length", 1024)
    check(HiddenLimit, monkeypatch)


KINDS = list(
    product(("atinuke", "transformer"), (False, True), ("pre", "post"), ("layerwise", "learned", "rotary", "none"))
)


@pytest.mark.parametrize(("name", "causal", "norm", "positions"), KINDS)
def test_every_kind_of_attention_passes(name, causal, norm, positions):
    check_core(core_config_class(name).from_preset("nano", causal=causal, norm=norm, positions=positions))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("atinuke", {"positions": "alibi"}),
        ("transformer", {"positions": "alibi", "attention_window": 3}),
        ("atinuke", {"attention_window": 3}),
        ("transformer", {"attention_window": 3}),
    ],
    ids=str,
)
def test_alibi_and_windows_pass(name, changes):
    check_core(core_config_class(name).from_preset("nano", **changes))


@pytest.mark.parametrize("preset", ["micro", "mini"])
@pytest.mark.parametrize("name", ["atinuke", "transformer", "bilstm"])
def test_larger_presets_pass(name, preset):
    check_core(core_config_class(name).from_preset(preset))


SIZES = {"vocab_size": 150, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "pad_token_id": 0}
SIZES |= {"intermediate_size": 64, "max_position_embeddings": 64}
ENCODERS: dict[str, dict[str, Any]] = {
    # Its table of relative positions costs the same for every length.
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "modernbert": {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2},
    "albert": {"embedding_size": 16},
    "mpnet": {},
}


@pytest.mark.parametrize("kind", ENCODERS)
def test_pretrained_encoders_of_other_kinds_pass(kind, model_folder, tmp_path):
    transformers = pytest.importorskip("transformers", reason="needs the extra 'pretrained'")
    config = transformers.AutoConfig.for_model(kind, **SIZES, **ENCODERS[kind])
    transformers.AutoModelForMaskedLM.from_config(config).save_pretrained(tmp_path)
    shutil.copy(model_folder("bert") / "tokenizer.json", tmp_path)
    check_core(PretrainedCore.resolve(PretrainedConfig(model=str(tmp_path))))
