"""Text that the tokenizer does not know, or reads otherwise than it did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from atinuke_bench.config import RunConfig, SourceConfig, make_run_config
from atinuke_bench.data.hold_out import CUT_VERSION
from atinuke_bench.run_folder import RunFolder, identity
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.schedule import SCHEDULE_VERSION
from atinuke_bench.training.train import Execution, train_and_evaluate

QUIET = Execution(show_progress=False)


@pytest.fixture
def reviews(tmp_path: Path) -> Callable[..., RunConfig]:
    """`reviews(train, dev)`: a run on these sentences in the layout of SST-2."""

    def make(train: str, dev: str) -> RunConfig:
        folder = tmp_path / "SST-2"
        folder.mkdir(exist_ok=True)
        for split, text in (("train", train), ("dev", dev)):
            rows = [f"{text}{' film' * (number % 7)}\t{number % 2}" for number in range(30)]
            (folder / f"{split}.tsv").write_text("\n".join(["sentence\tlabel", *rows]), encoding="utf-8")
        overrides = {"training.max_epochs": 1, "tokenizer.vocab_size": 200}
        return make_run_config(
            "glue/sst2", "atinuke", preset="nano", source=SourceConfig(data_dir=tmp_path), overrides=overrides
        )

    return make


def test_text_that_the_tokenizer_does_not_know_is_warned_of(reviews, tmp_path, capfd):
    def trained(*texts):
        folder = RunFolder(tmp_path / str(len(texts[1])))
        result = train_and_evaluate(prepare(reviews(*texts)), folder, Execution())
        return result["unknown_percent"]["dev"], folder.log.read_text("utf-8"), capfd.readouterr().err

    percent, log, screen = trained("a fine film", "☃ fine film")
    assert percent == pytest.approx(25, abs=10)
    for text in (log, screen):
        assert f"{percent:.1f} % of dev are [UNK], over 5 %" in text
    percent, log, screen = trained("a fine film", "a film")
    assert percent == 0
    assert "[UNK]" not in log + screen


def test_only_data_whose_long_words_are_read_otherwise_gets_another_identity(reviews):
    def is_as_before(text):
        prepared = prepare(reviews("a fine film", text))
        versions = {"task": prepared.task.result_version, "core": 1, "cut": CUT_VERSION, "schedule": SCHEDULE_VERSION}
        return prepared.identity == identity(prepared.run, prepared.loaded.fingerprint, versions)

    assert is_as_before("a film " * 40)
    assert is_as_before("https://example.org/" + "/".join("abc" for _ in range(50)))
    assert not is_as_before("สวย" * 40)
