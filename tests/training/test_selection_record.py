"""`selection.parquet`: what it says of each epoch, that a resumed run has the same one, and what damage does."""

from __future__ import annotations

import numpy as np
import pytest

from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import sha256_file
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.selection_record import SelectionRecord, read_selection, write_selection
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate

QUIET = Execution(show_progress=False, checkpoint_minutes=0)


class Killed(BaseException):
    """Stands for a kill."""


@pytest.fixture
def run(make_run):
    return make_run(core="bilstm", training__max_epochs=3, training__batch_tokens=48)


def carry_out(run, place):
    folder = RunFolder(place)
    result = train_and_evaluate(prepare(run), folder, QUIET)
    return folder, result


def test_contributions_add_up_to_the_score_of_every_epoch(run, tmp_path):
    folder, result = carry_out(run, tmp_path / "run")
    record, history = read_selection(folder.selection), folder.read_history()
    assert list(record.epochs) == [line["epoch"] for line in history]
    assert record.ids == tuple(prepare(run).selection_examples["id"][:])
    for line in history:
        assert record.epochs[line["epoch"]].mean() == pytest.approx(line["score"])
        assert sum(record.by_unit(line["epoch"]).values()) == pytest.approx(line["score"])
    assert result["artefacts"]["selection.parquet"] == sha256_file(folder.selection)


def test_a_resumed_run_has_the_record_of_the_undisturbed_one(run, tmp_path, monkeypatch):
    whole, _ = carry_out(run, tmp_path / "whole")
    steps = whole.read_history()[0]["step"]
    step = TaskModule.training_step

    for number in (steps + 1, 2 * steps + 1):

        def dies(self, batch, batch_index, number=number):
            if self.global_step == number:
                raise Killed
            return step(self, batch, batch_index)

        with monkeypatch.context() as patch:
            patch.setattr(TaskModule, "training_step", dies)
            with pytest.raises(Killed):
                carry_out(run, tmp_path / "cut")
    cut, _ = carry_out(run, tmp_path / "cut")
    assert cut.selection.read_bytes() == whole.selection.read_bytes()


def test_a_run_goes_on_where_the_file_is_damaged_or_cannot_be_written(run, tmp_path):
    folder = RunFolder(tmp_path / "run")
    (folder.path / "selection.parquet" / "full").mkdir(parents=True)
    _, result = carry_out(run, folder.path)
    assert result["score"] is not None
    assert "the selection slice's scores are not recorded" in folder.log.read_text()


def record(**changed):
    epochs = {0: np.array([100.0, 0.0, 50.0]), 2: np.array([0.0, 0.0, 100.0])}
    return SelectionRecord(**{"ids": ("a", "b", "ü"), "units": ("p", "p", "q"), "epochs": epochs, **changed})


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "selection.parquet"
    write_selection(path, record())
    found = read_selection(path)
    assert (found.ids, found.units, list(found.epochs)) == (("a", "b", "ü"), ("p", "p", "q"), [0, 2])
    assert all(np.array_equal(found.epochs[epoch], values) for epoch, values in record().epochs.items())
    assert found.by_unit(0) == pytest.approx({"p": 100 / 3, "q": 50 / 3})


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"PAR1" + bytes(100)),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: _swap_checksum(path, record(units=("p", "q", "q"))),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_no_record(tmp_path, damage):
    path = tmp_path / "selection.parquet"
    write_selection(path, record())
    damage(path)
    with pytest.raises(RunFolderError, match=r"selection\.parquet") as refused:
        read_selection(path)
    assert "\n" not in str(refused.value)


def _swap_checksum(path, own):
    """The numbers of a record of one's own under the checksum of another."""
    import pyarrow.parquet as pq

    other = path.with_name("other.parquet")
    write_selection(path, own)
    write_selection(other, record())
    table, metadata = pq.read_table(path), pq.read_schema(other).metadata
    pq.write_table(table.replace_schema_metadata(metadata), path)
