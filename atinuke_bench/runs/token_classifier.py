"""A tagger's head beside its core, as transformers' models for token classification have it.

Of this package's heads only a linear layer over tokens has an architecture there; `TaskModel.other_head` says what the
others do. Those of sentences pool all tokens, where BertForSequenceClassification has a tanh of the first one;
those of spans compare each token with the pooled question, where BertForQuestionAnswering is a linear layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from atinuke_bench.training.predict import Predictor


def with_classifier(
    predictor: Predictor, config: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config and weights of a core's model with the run's head; the core's own where its architecture takes no such.

    A word's logits are those of its first token, or the mean of its tokens' (`options.pooling` of the run).
    """
    found = predictor.task.model.token_classifier(predictor.module, predictor.run)
    bare = dict(config), dict(weights)
    if found is None:
        return bare
    layer, names = found
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: number for number, name in enumerate(names)}}
    architecture, prefix, expected = _architecture(predictor, {**config, **labels})
    classifier = {f"classifier.{name}": weight.detach().cpu().clone() for name, weight in layer.named_parameters()}
    whole = {**{f"{prefix}.{name}": weight for name, weight in weights.items()}, **classifier}
    if expected is not None and expected != whole.keys():
        return bare
    return {**config, **labels, "architectures": [architecture]}, whole


def _architecture(predictor: Predictor, config: Mapping[str, Any]) -> tuple[str | None, str, set[str] | None]:
    """The model for token classification, the prefix of its core, and the weights it has; None where they are known."""
    encoder = getattr(predictor.module.core, "encoder", None)
    if not isinstance(encoder, nn.Module):
        return "BertForTokenClassification", "bert", None
    from transformers import AutoConfig, AutoModelForTokenClassification

    try:
        kind = str(config["model_type"])
        settings = AutoConfig.for_model(kind, **{name: value for name, value in config.items() if name != "model_type"})
        with torch.device("meta"):
            model = AutoModelForTokenClassification.from_config(settings)
    except (ValueError, KeyError):  # an architecture without one
        return None, "", set()
    return type(model).__name__, model.base_model_prefix, set(model.state_dict())
