"""Each rule on a record that has what it looks for, and none of them on a healthy one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from atinuke_bench.config import TrainingConfig
from atinuke_bench.diagnosis.diagnose import diagnose
from atinuke_bench.diagnosis.finding import Severity
from atinuke_bench.diagnosis.record import Answers, RunRecord, read_run
from atinuke_bench.errors import FailureClass
from atinuke_bench.records import FailureRecord
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.step_record import is_measured_at

NUM_STEPS, NUM_EPOCHS = 300, 10


def steps(**changed):
    """Steps of a healthy training."""
    number = np.arange(1.0, NUM_STEPS + 1)
    noise = np.random.default_rng(0).normal(size=NUM_STEPS)
    rates = 1e-3 * np.where(number <= 30, number / 30, (NUM_STEPS - number) / (NUM_STEPS - 30))
    measured = np.array([is_measured_at(int(step), NUM_STEPS) for step in number])
    columns = {
        "epoch": (number - 1) // (NUM_STEPS // NUM_EPOCHS),
        "step": number,
        "loss": 0.7 * np.exp(-number / 150) + 0.02 * noise,
        "learning_rate": rates,
        "gradient_norm": np.exp(0.3 * noise),
        "clipped": (noise > 0).astype(float),
    }
    for name in ("attention", "feedforward", "embeddings", "head"):
        columns[f"update_ratio/{name}"] = np.where(measured, 4 * rates, np.nan)
        columns[f"gradient/{name}"] = np.where(measured, 0.5, np.nan)
    for name, value in {"padding": 0.0, "before": 0.2, "after": 0.2, "is_causal": 0.0}.items():
        columns[f"probe/{name}"] = np.where(number == 1, value, np.nan)
    for name, change in changed.items():
        own = name.replace("__", "/")
        columns[own] = change(columns[own])
    return columns


def answers(commonest=0.55, right=0.5, floor=50.0, entropy=0.69):
    return tuple(Answers(100, entropy, commonest, right, floor) for _ in range(NUM_EPOCHS))


def healthy(**changed):
    return replace(
        RunRecord(
            folder="run",
            training=TrainingConfig(max_epochs=NUM_EPOCHS),
            losses=0.7 * np.exp(-np.arange(NUM_EPOCHS) / 5),
            scores=np.array([52, 60, 70, 78, 82, 84, 86, 87, 88, 87.5]),
            answers=answers(),
            steps=steps(),
            is_finished=True,
            repeats=0.05,
        ),
        **changed,
    )


FLAT = np.array([50.0, 52, 49, 51, 50, 53, 50, 49, 51, 50])
FAILED = FailureRecord.model_validate({"class": FailureClass.DIVERGED, "message": "the loss is nan at step 7"})
WRONG = {
    "diverging": {"steps": steps(loss=lambda loss: np.append(loss[:-60], np.full(60, 5.0)))},
    "rate-too-high": {"steps": steps(update_ratio__attention=lambda own: 30 * own)},
    "rate-too-low": {
        "steps": steps(update_ratio__attention=lambda own: own / 30, update_ratio__feedforward=lambda own: own / 30)
    },
    "too-few-steps": {"steps": {name: column[:40] for name, column in steps().items()}},
    "warm-up-too-short": {
        "steps": steps(
            learning_rate=lambda rates: np.linspace(1e-3, 0, NUM_STEPS),
            update_ratio__attention=lambda own: np.where(np.arange(NUM_STEPS) < 2, 0.025, own),
        )
    },
    "exploding-gradients": {"steps": steps(gradient_norm=lambda norm: 1000 * norm)},
    "clipped-always": {"steps": steps(clipped=lambda clipped: np.ones(NUM_STEPS))},
    "spikes": {"steps": steps(loss=lambda loss: np.where(np.arange(NUM_STEPS) % 120 > 110, 2.0, loss))},
    "mask-on-wrong-side": {"steps": steps(probe__padding=lambda own: own + 0.3)},
    "frozen-core": {
        "steps": steps(
            **{f"update_ratio__{name}": lambda own: 0 * own for name in ("attention", "feedforward", "embeddings")}
        )
    },
    "dead-activations": {"steps": steps(gradient__feedforward=lambda own: 0 * own)},
    "one-answer-in-data": {"answers": answers(1.0, 1.0, 100.0)},
    "data-repeated": {"repeats": 0.9},
    "collapsed": {"answers": answers(1.0, 0.5, entropy=0.0)},
    "never-left-the-floor": {"scores": FLAT},
    "overfitting": {"scores": np.array([52, 60, 70, 80, 88, 80, 75, 70, 66, 60.0])},
    "plateau": {"losses": np.array([0.7, 0.6, 0.5, *[0.45] * 7])},
    "still-improving": {"scores": np.linspace(52, 88, NUM_EPOCHS)},
    "interrupted": {"is_finished": False},
}  # fmt: skip


def names(run):
    return [finding.name for finding in diagnose(run)]


def test_nothing_is_said_of_a_healthy_run():
    assert names(healthy()) == []


@pytest.mark.parametrize("name", WRONG)
def test_a_rule_names_what_it_looks_for(name):
    found = [finding for finding in diagnose(healthy(**WRONG[name])) if finding.name == name]
    assert len(found) == 1
    assert found[0].text
    assert found[0].tries
    assert found[0].record()["try"] == list(found[0].tries)


def test_causes_come_before_what_they_lead_to():
    found = diagnose(healthy(scores=FLAT, **WRONG["mask-on-wrong-side"], answers=answers(1.0, 0.5)))
    assert [one.name for one in found][:3] == ["mask-on-wrong-side", "collapsed", "never-left-the-floor"]
    assert found[0].severity is Severity.SERIOUS


def test_a_diverged_run_is_told_by_its_failure():
    found = diagnose(healthy(is_finished=False, failure=FAILED))
    assert found[0].name == "diverging"
    assert "nan at step 7" in found[0].text


def test_a_warm_up_that_was_asked_for_and_not_made_is_told():
    (found,) = [one for one in diagnose(healthy(**WRONG["warm-up-too-short"])) if one.name == "warm-up-too-short"]
    assert "training.warmup_fraction=0.1 asks for about 30" in found.text


def test_learned_weights_need_not_move_far():
    assert "rate-too-low" in names(healthy(**WRONG["rate-too-low"]))
    assert "rate-too-low" not in names(healthy(**WRONG["rate-too-low"], starts_trained=True))


def test_a_loss_has_no_floor_and_falls():
    run = healthy(
        scores=np.linspace(3.0, 2.0, NUM_EPOCHS),
        higher_is_better=False,
        is_percentage=False,
        answers=tuple(Answers(60, 4.0, 0.02, 0.02) for _ in range(NUM_EPOCHS)),
    )
    assert run.best_epoch == NUM_EPOCHS - 1
    assert names(run) == ["still-improving"]


def test_records_without_steps_answers_or_epochs_stop_no_rule():
    for run in (
        healthy(steps={}),
        healthy(answers=()),
        RunRecord("run"),
        healthy(losses=np.empty(0), scores=np.empty(0), answers=()),
    ):
        diagnose(run)
    assert names(healthy(steps={})) == ["no-steps"]
    assert "never-left-the-floor" not in names(healthy(scores=np.full(NUM_EPOCHS, np.nan)))


def test_a_folder_of_an_older_version_or_full_of_damage_is_read(tmp_path):
    folder = RunFolder(tmp_path)
    folder.history.write_text('{"epoch": 0, "loss": 0.7, "score": 60.0}\n{"epoch": 1, "loss": 0.6, "score": 61.0}\n')
    (tmp_path / "config.yaml").write_text("task: snli\ncore: {name: atinuke, preset: nano}\nseed: 3\n")
    run = read_run(folder)
    assert (run.task, run.core, run.seed, run.num_epochs) == ("snli", "atinuke-nano", 3, 2)
    assert names(run) == ["interrupted", "no-steps"]
    folder.steps.write_bytes(b"nothing")
    folder.failure.write_text("[]")
    (tmp_path / "config.yaml").write_text(": :")
    run = read_run(folder)
    assert len(run.unread) == 3
    assert "unread" in names(run)
