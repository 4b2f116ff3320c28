"""One run on 1, 2, 4, 8 processes: tokens per second, how busy the devices are, and how far the weights differ.

    python benchmarks/devices.py [--tasks snli] [--core atinuke] [--preset mini] [--processes 1 2] [--turns 3]
    python benchmarks/devices.py --preset base --processes 1 2 4 8 --batch-tokens 32768   # a machine with 8 GPUs

Data is generated, and dropout is off, so that the weights after an epoch should be those of one process up to rounding.
Where there are GPUs, each process has its own and computes in bfloat16 (`--precision`); more processes than there are
GPUs share them if `--share` is given, on gloo, which shows exactness and no speed. Without GPUs processes speak gloo,
with one thread each. The numbers of processes take turns, so that a busy machine slows all equally.

Columns: tokens a second of the last epoch's steps, as the run itself records them (median of the turns); the ratio to
the first number of processes, within turns; on processors the share of the steps' time in which the processes computed,
and the processors' seconds for a million tokens, which a busy machine changes little; on GPUs their utilisation where
`nvidia-ml-py` is installed, and the operations of training a second and process; the largest difference of a weight
tensor after the last epoch, as a share of how far training moved it.

A user with enough tokens a device should see a ratio near the number of processes. A batch is shared by all of them:
the smaller each share, the larger the part of a step that is spent on sending gradients and on the optimiser, so that
for a small core, or with few `--batch-tokens`, the ratio is lower. On GPUs a core of base size needs 16,000 tokens a
device and more; below, a processor that starts one kernel after another is the limit, and utilisation shows it.

Measured on two quiet cores of an EPYC with two, without GPU (snli, atinuke mini, 600 rows): 3,573 tokens a second on
one process and 6,274 on two, 1.75 times as many; their weights differ by 3e-4 of the way that training moved them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import torch

from atinuke_bench.config import MicroworldConfig, RunConfig, SourceConfig, make_run_config, parse_override
from atinuke_bench.core.build import build_core
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.checkpoint import load_checkpoint
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.guards import quiet_lightning
from atinuke_bench.training.launchers import rank_environment
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.selection import EpochSelection
from atinuke_bench.training.train import train_and_evaluate

#: One task of every family.
FAMILIES = ("snli", "glue/stsb", "squad-v2.0", "coref", "srl", "lm")


def configure(arguments: argparse.Namespace, task: str) -> RunConfig:
    """A short run on generated data, without dropout."""
    overrides: dict[str, Any] = {
        "training.max_epochs": arguments.epochs,
        "training.patience": arguments.epochs,
        "core.dropout": 0.0,
    }
    overrides |= {"options.dropout": 0.0} if task == "coref" else {}
    overrides |= {"training.precision": arguments.precision}
    if arguments.batch_tokens:
        overrides["training.batch_tokens"] = arguments.batch_tokens
    overrides |= dict(map(parse_override, arguments.set))
    source = SourceConfig(kind="microworld", microworld=MicroworldConfig(train=arguments.rows, dev=20, test=20))
    return make_run_config(task, arguments.core, preset=arguments.preset, source=source, overrides=overrides)


class Clock:
    """Of the last epoch: processor seconds of this process's training steps, and samples of its GPU's utilisation."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.utilisation: list[float] = []
        self._is_training = False
        start, end = EpochSelection.on_train_epoch_start, EpochSelection.on_train_batch_end

        def on_start(selection: EpochSelection, *given: Any) -> None:
            start(selection, *given)
            self._started, self._is_training = time.process_time(), True
            self.utilisation.clear()

        def on_end(selection: EpochSelection, trainer: Any, *given: Any) -> None:
            end(selection, trainer, *given)
            if trainer.is_last_batch:
                self.seconds = time.process_time() - self._started
                self._is_training = False

        EpochSelection.on_train_epoch_start = on_start  # type: ignore[method-assign,assignment]
        EpochSelection.on_train_batch_end = on_end  # type: ignore[method-assign,assignment]
        if torch.cuda.is_available():
            threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        while True:
            time.sleep(0.1)
            try:
                if self._is_training:
                    self.utilisation.append(torch.cuda.utilization())
            except (ImportError, RuntimeError):  # without nvidia-ml-py
                return


def work(run: RunConfig, folder: str, size: int, rank: int, port: int, is_shared_gpu: bool) -> None:
    """One process of a run; it writes what it measured beside the run's folder."""
    if size > 1:
        os.environ.update(rank_environment(rank, size, port))
    if is_shared_gpu:
        torch.cuda.is_available = lambda: False  # so that processes speak gloo: NCCL refuses to share a device
    clock = Clock()
    execution = Execution(devices=size, size=size, rank=rank, local_rank=rank, show_progress=False)
    with quiet_lightning():
        train_and_evaluate(prepare(run), RunFolder(Path(folder) / "run"), execution)
    Path(folder, f"{rank}.json").write_text(json.dumps({"cpu": clock.seconds, "gpu": clock.utilisation}))


def measure(run: RunConfig, size: int, is_shared_gpu: bool = False) -> dict[str, Any]:
    """The figures of one run on `size` processes, and its weights."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        context = multiprocessing.get_context("spawn")
        arguments = [(run, folder, size, rank, port, is_shared_gpu) for rank in range(size)]
        processes = [context.Process(target=work, args=given) for given in arguments]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        if any(process.exitcode for process in processes):
            raise SystemExit(f"a process of {size} failed")
        parts = [json.loads(Path(folder, f"{rank}.json").read_text()) for rank in range(size)]
        done = RunFolder(Path(folder) / "run")
        history, weights = done.read_history(), load_checkpoint(done.best_checkpoint)["state_dict"]
    seconds, tokens = history[-1]["seconds"], history[-1]["tokens"]
    cpu = sum(part["cpu"] for part in parts)
    samples = [value for part in parts for value in part["gpu"]]
    return {
        "tokens_per_second": tokens / seconds,
        "busy": cpu / (seconds * size),
        "cpu_per_token": cpu / tokens,
        "utilisation": statistics.mean(samples) / 100 if samples else None,
        "flops_per_second": history[-1]["training_flops"] / len(history) / seconds / size,
        "weights": weights,
    }


def difference(found: dict[str, Any], expected: dict[str, Any], initial: dict[str, Any]) -> float:
    """The largest difference of a tensor from what it should be, as a share of how far training moved it."""
    shares = []
    for name, right in expected.items():
        moved = (right.double() - initial[name].double()).norm() if name in initial else right.double().norm()
        shares.append(float((found[name].double() - right.double()).norm() / moved.clamp(min=1e-12)))
    return max(shares)


def initial_weights(run: RunConfig) -> dict[str, torch.Tensor]:
    """The weights that every process begins with."""
    import pytorch_lightning as pl

    prepared = prepare(run)
    pl.seed_everything(run.seed, verbose=False)
    core = build_core(prepared.run.core, prepared.tokenizer.get_vocab_size())
    return prepared.task.model.build(core, prepared.run).state_dict()


def print_rows(task: str, found: dict[int, list[dict[str, Any]]], initial: dict[str, torch.Tensor]) -> None:
    """One line for each number of processes."""
    first = next(iter(found))
    for size, turns in found.items():
        values = {
            name: statistics.median(turn[name] for turn in turns)
            for name in ("tokens_per_second", "busy", "cpu_per_token", "flops_per_second")
        }
        pairs = zip(turns, found[first], strict=True)
        ratio = statistics.median(turn["tokens_per_second"] / own["tokens_per_second"] for turn, own in pairs)
        used = [turn["utilisation"] for turn in turns if turn["utilisation"] is not None]
        busy = statistics.mean(used) if used else values["busy"]
        off = difference(turns[-1]["weights"], found[first][-1]["weights"], initial)
        print(
            f"{task:12} {size:>9} {values['tokens_per_second']:>10,.0f} {ratio:>6.2f} {100 * busy:>6.0f}% "
            f"{1e6 * values['cpu_per_token']:>10,.0f} {values['flops_per_second'] / 1e12:>9.3f} {off:>10.1e}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=["snli"], help=f"`all` is {' '.join(FAMILIES)}")
    parser.add_argument("--core", default="atinuke")
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--rows", type=int, default=400, help="generated examples to train on")
    parser.add_argument("--epochs", type=int, default=2, help="the last is timed, since first steps are slow")
    parser.add_argument("--batch-tokens", type=int, default=0, help="of all processes; by default the preset's")
    parser.add_argument("--precision", default="bfloat16" if torch.cuda.is_available() else "float32")
    parser.add_argument("--share", action="store_true", help="let processes share GPUs")
    parser.add_argument("--set", nargs="*", default=[], help="further fields of the run, FIELD=VALUE")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    num_gpus = torch.cuda.device_count()
    if num_gpus and max(given.processes) > num_gpus and not given.share:
        parser.error(f"{max(given.processes)} processes need as many GPUs; found {num_gpus}; --share lets them share")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ATINUKE_CACHE"] = cache
        device = torch.cuda.get_device_name() if num_gpus else f"{os.cpu_count()} processors"
        print(f"{given.core} {given.preset}, {device}, load {os.getloadavg()[0]:.1f}")
        print("task         processes   tokens/s  ratio    busy CPU s/Mtok   Tflop/s  weights off")
        for task in FAMILIES if given.tasks == ["all"] else given.tasks:
            run = configure(given, task)
            initial = initial_weights(run)
            found: dict[int, list[dict[str, Any]]] = {size: [] for size in given.processes}
            for _ in range(given.turns):
                for size in given.processes:
                    found[size].append(measure(run, size, is_shared_gpu=given.share and size > num_gpus))
            print_rows(task, found, initial)
        print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
