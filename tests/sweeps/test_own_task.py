"""Studies of a task that a file declares."""

from __future__ import annotations

import re

import optuna
import pytest
import yaml

from atinuke_bench.config import find_task
from atinuke_bench.errors import StudyError
from atinuke_bench.runs.grid import expand, read_suite
from atinuke_bench.sweeps.best import write_suite
from atinuke_bench.sweeps.copying import copy_study
from atinuke_bench.sweeps.opening import create_or_join, open_study
from atinuke_bench.sweeps.planning import plan_studies


def planned(own):
    task, declaration = find_task(str(own / "reviews.yaml"))
    return plan_studies(
        tasks=[(task, declaration)],
        cores=["bilstm"],
        preset="nano",
        space="dimensions",
        budget={"trials": 2},
        name="mine",
    )[0]


def test_a_study_holds_its_task_for_all_who_join(own, tmp_path):
    store, other = tmp_path / "store", tmp_path / "other"
    study = create_or_join(planned(own), store)
    written = yaml.safe_load((study.folder / "study.yaml").read_text())
    assert written["declaration"]["fields"] == {"text": "body", "label": "stars", "id": "key"}
    url = f"sqlite:///{study.folder / 'study.db'}"
    for path in (own / "reviews.yaml", study.folder / "study.yaml"):
        path.unlink()
    for joined in (open_study("mine", other, url), open_study("mine", other, url)):
        run = joined.config.make_run({})
        assert run.task == "classification/reviews"
        assert run.declaration == study.config.declaration


def test_a_definition_longer_than_a_column_is_kept_whole(own, database, tmp_path):
    """MySQL's holds 65,535 bytes."""
    declared = yaml.safe_load((own / "reviews.yaml").read_text())
    labels = ["pos", "neg", *(f'a label "{number}" ☃ {"x" * 40}' for number in range(2000))]
    (own / "reviews.yaml").write_text(yaml.safe_dump({**declared, "labels": labels}))
    config = planned(own)
    create_or_join(config, tmp_path / "store", database).close()
    again = create_or_join(config, tmp_path / "other", database)
    again.close()
    joined = open_study("mine", tmp_path / "third", database or again.storage.url)
    assert joined.config.definition() == config.definition()
    copy_study(joined, tmp_path / "fourth", None, "copied").study.close()
    joined.close()
    copied = open_study("copied", tmp_path / "fourth")
    assert copied.config.declaration == config.declaration
    copied.optuna.set_user_attr("definition/1", None)
    with pytest.raises(StudyError, match=r"study 'copied' in sqlite.*: its definition is damaged"):
        open_study("copied", tmp_path / "fourth")
    copied.close()


@pytest.mark.parametrize("what", ["definition", "budget"])
def test_a_study_whose_definition_cannot_be_kept_is_not_there(own, tmp_path, monkeypatch, what):
    write = optuna.Study.set_user_attr

    def interrupted(study, name, value):
        if name == what:
            raise KeyboardInterrupt
        write(study, name, value)

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "set_user_attr", interrupted)
        with pytest.raises(KeyboardInterrupt):
            create_or_join(planned(own), tmp_path / "store")
    create_or_join(planned(own), tmp_path / "store").close()


def test_official_files_elsewhere_move_no_declared_task(own, tmp_path):
    create_or_join(planned(own), tmp_path / "store")
    run = open_study("mine", tmp_path / "store", data_dir=tmp_path).config.make_run({})
    assert run.source.data_dir == own


def test_an_edited_file_is_another_study(own, tmp_path):
    create_or_join(planned(own), tmp_path / "store")
    file = own / "reviews.yaml"
    file.write_text(file.read_text() + "metric: macro_f1\n")
    with pytest.raises(StudyError, match=r"declaration: metric None, not 'macro_f1'; give --name for a new study"):
        create_or_join(planned(own), tmp_path / "store")


def test_a_folder_that_has_moved_is_the_same_study(own, tmp_path):
    create_or_join(planned(own), tmp_path / "store")
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("reviews.yaml", "train", "test.jsonl"):
        (own / name).rename(moved / name)
    assert create_or_join(planned(moved), tmp_path / "store").config.make_run({}).source.data_dir == moved


def test_from_the_command_line(own, cli, tmp_path):
    small = ("--preset", "nano", "--trials", "1", "--out", tmp_path / "store", "--wandb", "disabled", "--workers", "1")
    fast = ("--set", "training.max_epochs=1", "--set", "tokenizer.vocab_size=200", "--space", "dimensions")
    ran = cli("sweep", own / "reviews.yaml", "--core", "bilstm", *small, *fast)
    assert ran.status == 0, ran.err
    assert re.search(r"classification-reviews-bilstm", ran.out)
    assert "nearest: 'reviews.yaml'" in cli("sweep", own / "reviws.yaml", "--core", "bilstm", *small).err


def test_the_best_trials_are_a_suite_with_the_task_beside_it(own, tmp_path, sweep):
    study = create_or_join(planned(own), tmp_path / "store")
    sweep(study)
    written = write_suite(study, tmp_path / "tuned.yaml", num_seeds=1, num_rivals=0)
    (own / "reviews.yaml").unlink()
    assert (tmp_path / "tuned.reviews.yaml").exists()
    (cell,) = expand(read_suite(str(tmp_path / "tuned.yaml")), study.config.source)
    assert cell.run == study.config.make_run(written.cores["best"].overrides, seed=written.seeds[0])
    study.close()
