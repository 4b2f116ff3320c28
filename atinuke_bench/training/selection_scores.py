"""Keeps what each example of the selection slice added to the score of every epoch (`selection_record.py`)."""

from __future__ import annotations

import logging
from dataclasses import replace

from atinuke_bench.errors import RunFolderError, first_line
from atinuke_bench.metrics.contributions import contributions
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.selection_record import SelectionRecord, read_selection, write_selection
from atinuke_bench.training.evaluate import Evaluation

log = logging.getLogger(__name__)


class SelectionScores:
    """Writes the record of a run, epoch by epoch. What an interrupted run wrote of earlier epochs is kept."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._record: SelectionRecord | None = None
        self._could_write = True

    def add(self, epoch: int, evaluation: Evaluation) -> None:
        """Write an epoch's contributions, before the epoch counts as done: who hears of it finds them.

        No run ends for want of them.
        """
        if evaluation.members is None:
            return
        ids, units = tuple(evaluation.members.units), tuple(evaluation.units)
        earlier = self._record or self._written()
        known = earlier.epochs if earlier is not None and (earlier.ids, earlier.units) == (ids, units) else {}
        epochs = {number: values for number, values in known.items() if number < epoch}
        values = contributions(evaluation.members)
        record = SelectionRecord(ids, units, epochs)
        self._record = record if values is None else replace(record, epochs={**epochs, epoch: values})
        try:
            write_selection(self.folder.selection, self._record)
        except RunFolderError as error:
            if self._could_write:
                log.warning("the selection slice's scores are not recorded: %s", first_line(error))
            self._could_write = False

    def _written(self) -> SelectionRecord | None:
        try:
            return read_selection(self.folder.selection)
        except RunFolderError:
            return None
