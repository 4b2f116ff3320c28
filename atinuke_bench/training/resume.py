"""What an interrupted run goes on from: the latest state in its folder that is whole and fits the rest.

After an epoch a run writes, in this order: the weights under a name to come, if they are the best so far
(`next.safetensors`), the history, the last state, which has the history too; then the weights get their name
(`best.safetensors`) and the state within the epoch goes. A kill between any two leaves the state of the epoch before or
of this one, with the weights that belong to it. Whatever else is found is damage: it is set aside by name, and the run
goes on from the state before it, or anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atinuke_bench.errors import CheckpointError, first_line
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.sealed import history_lines, parse_history
from atinuke_bench.training.checkpoint import RUN, load_checkpoint, save_checkpoint
from atinuke_bench.training.selection_rule import History, SelectionRule

#: Where a checkpoint keeps what `EpochSelection` gives it.
STATE_KEY = "EpochSelection"
# What a checkpoint of weights alone leaves out, see Lightning's `dump_checkpoint`.
_NOT_WEIGHTS = ("callbacks", "optimizer_states", "lr_schedulers")


@dataclass(frozen=True)
class ResumePoint:
    """What training goes on from; without a `path` no epoch is left, and the best weights are evaluated."""

    path: Path | None
    history: History
    #: Time that the run took until then, over all attempts.
    seconds: float = 0.0
    #: Where the state was saved within an epoch: what the epoch has added up so far.
    within: dict[str, Any] | None = None

    @property
    def place(self) -> str:
        """The point in words."""
        epoch = len(self.history)
        return (
            f"after epoch {epoch - 1}" if self.within is None else f"after step {self.within['steps']} of epoch {epoch}"
        )


@dataclass(frozen=True)
class _State:
    """A checkpoint that is whole."""

    path: Path
    record: dict[str, Any]

    @property
    def own(self) -> dict[str, Any]:
        return self.record.get("callbacks", {}).get(STATE_KEY, {})

    @property
    def within(self) -> dict[str, Any] | None:
        return self.own.get("within")

    @property
    def num_epochs(self) -> int:
        """Epochs that the state has seen whole."""
        return self.record["epoch"] + (self.within is None)


class Resumption:
    """Finds a run's resume point and puts its folder in order; only one process of a run may do so."""

    def __init__(
        self, folder: RunFolder, identity: str, rule: SelectionRule, num_processes: int, say: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self.identity = identity
        self.rule = rule
        self.num_processes = num_processes
        self.say = say
        self.whole: list[_State] = []

    def find(self) -> ResumePoint | None:
        """The latest point that is whole; None to start anew."""
        states = [self._read(path) for path in (self.folder.middle_checkpoint, self.folder.last_checkpoint)]
        self.whole = sorted((state for state in states if state), key=lambda state: -state.record["global_step"])
        for state in self.whole:
            if state.within is not None and len(state.within["processes"]) != self.num_processes:
                self.say(
                    f"{state.path}: saved by {len(state.within['processes'])} processes, and now there are "
                    f"{self.num_processes}: the run goes on from the end of the epoch before"
                )
                state.path.unlink()
            elif (point := self._point(state)) is not None:
                return point
        point = self._finished()
        if point is None:
            self._clear()
        return point

    def _read(self, path: Path) -> _State | None:
        if not path.exists():
            return None
        try:
            state = _State(path, load_checkpoint(path))
            is_place = isinstance(state.record["global_step"] + state.num_epochs, int)
            if is_place and set(_NOT_WEIGHTS) <= state.record.keys() and self._is_own(state.record):
                return state
            problem = f"{path}: not a state of this run's training"
        except CheckpointError as error:
            problem = first_line(error)
        except (AttributeError, KeyError, TypeError):
            problem = f"{path}: not a state of this run's training"
        self._set_aside([path], problem)
        return None

    def _point(self, state: _State) -> ResumePoint | None:
        """The resume point of a state; None, with the state set aside, where the rest does not fit it."""
        history, problem = self.folder.check_history()
        if "history" in state.own:
            lines = state.own["history"]
            known, _ = parse_history(lines)
        else:  # of a version whose states had none
            known = history[: state.num_epochs]
        last_step = known[-1].get("step") if known else None
        if len(known) != state.num_epochs or (state.within is None and last_step != state.record["global_step"]):
            self._set_aside([state.path], f"{state.path}: does not fit the history of {len(known)} epochs")
            return None
        if not self._settle_best(known):
            missing = f"{self.folder.best_checkpoint}: not the weights of epoch {self.rule.best_epoch(known)}"
            self._set_aside([state.path], f"{missing}, without which {state.path.name} is no use")
            return None
        # An epoch more is what a kill leaves that comes before the last state.
        if problem is not None or history_lines(history[: len(known)]) != history_lines(known):
            what = problem or f"has not the {len(known)} epochs of {state.path.name}"
            self._set_aside([self.folder.history], f"{self.folder.history}: {what}; it is written anew")
        self.folder.write_history(known)
        return ResumePoint(state.path, known, state.own.get("seconds", 0.0), state.within)

    def _settle_best(self, history: History) -> bool:
        """Let the best weights be those of the best epoch; False where nothing has them."""
        best, following = self.folder.best_checkpoint, self.folder.next_checkpoint
        epoch = self.rule.best_epoch(history)
        if epoch is None:
            return True
        is_there = self._is_of(best, epoch)
        if not is_there and self._is_of(following, epoch):
            following.replace(best)
            is_there = True
        following.unlink(missing_ok=True)
        after = (state for state in self.whole if state.within is None and state.record["epoch"] == epoch)
        if not is_there and (state := next(after, None)) is not None:
            self._set_aside([best], f"{best}: not the weights of epoch {epoch}; {state.path.name} has them")
            save_checkpoint(best, {name: value for name, value in state.record.items() if name not in _NOT_WEIGHTS})
            is_there = True
        return is_there

    def _is_of(self, path: Path, epoch: int) -> bool:
        try:
            record = load_checkpoint(path)
            is_weights = not set(_NOT_WEIGHTS) & record.keys()
            return record.get("epoch") == epoch and is_weights and self._is_own(record)
        except (CheckpointError, AttributeError):
            return False

    def _is_own(self, record: dict[str, Any]) -> bool:
        """Whether a checkpoint is of this run, as far as it says of which it is: those of older versions do not."""
        return record.get(RUN, self.identity) == self.identity

    def _finished(self) -> ResumePoint | None:
        """The end of a run that was finished once, and so has no last state."""
        history, problem = self.folder.check_history()
        if problem is None and self.rule.is_over(history) and self._settle_best(history):
            return ResumePoint(None, history)
        return None

    def _clear(self) -> None:
        """Leave nothing that a training which starts anew would take for its own."""
        folder = self.folder
        # These two a kill leaves in the first epoch, before its last state.
        folder.next_checkpoint.unlink(missing_ok=True)
        history, problem = folder.check_history()
        if problem is not None or len(history) > 1 or folder.best_checkpoint.exists():
            place = [folder.history, folder.best_checkpoint]
            self._set_aside(
                place, f"{folder.path}: {problem or 'the state to go on from is gone'}; training starts anew"
            )

    def _set_aside(self, paths: list[Path], problem: str) -> None:
        place = self.folder.set_damaged_aside(paths)
        self.say(problem if place is None else f"{problem}; what was there is in {place}")
