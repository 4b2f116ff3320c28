"""`<split>.tsv` with a sentence and a topic in each line."""

from pathlib import Path

from atinuke_bench.data.sources import Loaded, load_local
from atinuke_bench.data.table import Table
from atinuke_bench.errors import ConfigError, DataError
from atinuke_bench.sentences.data import SentenceData
from atinuke_bench.training.capabilities import OfficialFiles
from atinuke_bench.training.task import require_data_dir

from .metric import METRICS

LABELS = ("music", "food", "sport")


class TopicData(SentenceData):
    def load(self, source, options) -> Loaded:
        if source.kind != "local":
            raise ConfigError(f"task 'topics' is read from files; found source {source.kind!r}, nearest: 'local'")
        folder = require_data_dir(source, "topics")
        return load_local({split: (folder / f"{split}.tsv", read) for split in ("train", "test")}, self.features)


class TopicFiles(OfficialFiles):
    def score(self, gold: Path, predictions: Path) -> dict[str, float | None]:
        truth, answers = (read(path).columns["label"] for path in (gold, predictions))
        if len(truth) != len(answers):
            raise DataError(f"one prediction a line; found {len(answers)} for {len(truth)}", path=predictions)
        rows = {"id": range(len(truth)), "score": truth}
        names = {"gold": [LABELS[label] for label in truth], "prediction": [LABELS[label] for label in answers]}
        metric = METRICS["topics"][0]
        return metric.measure(metric.read(rows | names)).figures


def read(path: Path) -> Table:
    try:
        lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", path=path) from error
    for number, line in enumerate(lines, start=1):
        if len(line) != 2 or line[1] not in LABELS:
            raise DataError(f"a line is a sentence, a tab and one of {', '.join(LABELS)}", path=path, line=number)
    return Table(
        {
            "id": [f"{path.stem}-{number}" for number in range(len(lines))],
            "sentence1": [text for text, _ in lines],
            "label": [LABELS.index(label) for _, label in lines],
        }
    )
