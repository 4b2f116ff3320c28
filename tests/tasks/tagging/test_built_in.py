"""The layouts that built-in declarations read."""

from __future__ import annotations

import pytest

from atinuke_bench import registry
from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.training.prepare import prepare


def loaded(task, folder):
    return prepare(make_run_config(task, "bilstm", preset="nano", source=SourceConfig(data_dir=folder)))


@pytest.fixture
def released(tmp_path):
    """Files as CoNLL-2003 and Universal Dependencies name them."""
    (tmp_path / "conll2003").mkdir()
    for name in ("eng.train", "eng.testa", "eng.testb"):
        lines = ["-DOCSTART- -X- -X- O", "", "U.N. NNP I-NP I-ORG", "official NN I-NP O", "Ekeus NNP I-NP I-PER", ""]
        (tmp_path / "conll2003" / name).write_text("\n".join(lines * 3))
    (tmp_path / "ud").mkdir()
    for split in ("train", "dev", "test"):
        lines = ["# newdoc id = a", "# sent_id = a-1", "1\tEs\tes\tPRON\tPPER", "2\tregnet\tregnen\tVERB\tVVFIN", ""]
        (tmp_path / "ud" / f"de_gsd-ud-{split}.conllu").write_text("\n".join(lines * 3))
    return tmp_path


def test_conll2003_is_read_as_released(released):
    prepared = loaded("tagging/conll2003", released)
    assert {split: len(rows) for split, rows in prepared.loaded.splits.items()} == {"train": 3, "dev": 3, "test": 3}
    assert prepared.run.options["scheme"] == "iob1"
    assert prepared.run.options["labels"] == ["ORG", "PER"]
    assert prepared.loaded.splits["test"]["tags"][0] == ["I-ORG", "O", "I-PER"]
    assert prepared.loaded.splits["test"]["document"][:] == ["eng.testb:1", "eng.testb:2", "eng.testb:3"]


def test_a_treebank_gives_its_parts_of_speech(released):
    prepared = loaded("tagging/ud-pos", released)
    assert prepared.task.metric is registry.load_metric("tagging/ud-pos", "accuracy")
    assert prepared.run.options["labels"] == ["PRON", "VERB"]
    assert prepared.loaded.splits["dev"]["words"][0] == ["Es", "regnet"]
