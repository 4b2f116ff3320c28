"""A pretrained encoder with its own tokenizer trains on every task, and says what it is."""

from __future__ import annotations

import pytest
import torch

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.errors import ConfigError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.tasks.squad.model import SquadModule
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

TASKS = ["snli", "glue/stsb", "squad-v2.0", "srl", "coref"]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def make_run(task, model, **changes):
    sizes = {"train": 6, "dev": 2, "test": 1} if task == "coref" else {"train": 12, "dev": 3, "test": 3}
    small = {"training.max_epochs": 1, "training.batch_tokens": 512, "training.max_length": 48}
    return make_run_config(
        task,
        "pretrained",
        source=SourceConfig(kind="microworld", microworld=sizes),
        overrides={"core.model": str(model), **small, **changes},
    )


@pytest.mark.parametrize(
    ("task", "kind"),
    [*((task, "bert") for task in TASKS), *((task, "roberta") for task in ("snli", "squad-v2.0", "srl"))],
)
def test_trains_and_is_scored(model_folder, tmp_path, task, kind):
    prepared = prepare(make_run(task, model_folder(kind)))
    folder = RunFolder(tmp_path / "run")
    result = train_and_evaluate(prepared, folder, Execution(show_progress=False))
    assert result["core_label"] == f"pretrained-tiny-{kind}"
    assert result["protocol"]["pretraining"] == {"model": f"tiny-{kind}"}
    assert result["cost"]["forward_flops_per_token"] > 0
    assert result["cost"]["embedding_parameters"] > 0
    first = prepared.encode("train", prepared.train_examples).ragged["input_ids"][0]
    frame = {"bert": (2, 3), "roberta": (0, 2)}[kind]
    assert (first[0], first[-1]) == frame, "rows are framed by the model's own special tokens"
    assert prepared.tokenizer.encode("Ada", "Ben").ids[0] == frame[0]


def test_srl_marks_its_predicate_in_the_input(model_folder, tmp_path):
    run = make_run("srl", model_folder("bert"), **{"options.predicate_feature": "indicator"})
    assert train_and_evaluate(prepare(run), RunFolder(tmp_path / "run"), Execution(show_progress=False))["scores"]


def test_what_a_task_adds_to_the_input_starts_at_nothing(model_folder):
    prepared = prepare(make_run("squad-v1.1", model_folder("bert")))
    from atinuke_bench.core.build import build_core

    module = prepared.task.model.build(build_core(prepared.run.core, 60).eval(), prepared.run)
    assert isinstance(module, SquadModule)
    batch = {
        "input_ids": torch.tensor([[2, 7, 3, 7, 8, 3]]),
        "segment_ids": torch.tensor([[0, 0, 0, 1, 1, 1]]),
        "attention_mask": torch.ones(1, 6, dtype=torch.bool),
        "context_mask": torch.tensor([[0, 0, 0, 1, 1, 0]]),
        "shared_count": torch.tensor([[0, 0, 0, 1, 0, 0]]),
    }
    expected = module.core(batch["input_ids"], batch["attention_mask"], batch["segment_ids"])
    torch.testing.assert_close(module.hidden(batch), expected, atol=1e-6, rtol=1e-6)


def test_core_and_head_learn_at_their_own_rates(model_folder):
    run = make_run("snli", model_folder("bert"))
    assert run.training.core_learning_rate == 1e-4
    assert run.training.learning_rate == 1e-3
    prepared = prepare(run)
    from atinuke_bench.core.build import build_core

    module = prepared.task.model.build(build_core(prepared.run.core, 60), prepared.run)
    module.num_training_steps = 10
    groups = module.configure_optimizers()["optimizer"].param_groups
    rates = {id(weight): group["initial_lr"] for group in groups for weight in group["params"]}
    assert {rates[id(weight)] for weight in module.core.parameters()} == {1e-4}
    assert isinstance(module.head, torch.nn.Module)
    assert {rates[id(weight)] for weight in module.head.parameters()} == {1e-3}
    assert len(rates) == len(list(module.parameters()))


def test_a_length_beyond_the_model_is_refused_before_training(model_folder):
    with pytest.raises(
        ConfigError, match=r"training\.max_length: pretrained-tiny-bert reads at most 64 tokens; found 65"
    ):
        prepare(make_run("snli", model_folder("bert"), **{"training.max_length": 65}))
