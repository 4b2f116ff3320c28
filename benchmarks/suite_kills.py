"""A suite under fire: killed and stopped at random moments, it must end as the suite that nothing disturbed.

    python benchmarks/suite_kills.py --kills 100 --seed 0
    python benchmarks/suite_kills.py --damages 50 --out /tmp/suite-kills

Four small runs on generated data are carried out once undisturbed. Then fresh stores of the same suite are struck,
several times each, while it runs, while `report` and while `sync` run beside it, until enough kills have struck. Each
store is then carried to its end and checked: every run there once and finished, its predictions and weights bit for bit
those of the undisturbed store, `verify` content, everything uploaded once to a stand-in for W&B's server, and no file
half written. With `--damages` an interrupted store's files are damaged too, one a case. The exit status is 1 where a
rule is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaos.commands import finish
from chaos.damages import carry_out, cases, interrupt, set_aside
from chaos.stores import NUM_EPOCHS, NUM_RUNS, Store, make_reference, places, settle
from chaos.strikes import STRIKES, Suite

from atinuke_bench.run_folder import RunFolder


@contextlib.contextmanager
def wandb_server() -> Iterator[tuple[Any, str]]:
    """The tests' stand-in for W&B's server, and its address."""
    path = Path(__file__).parents[1] / "tests" / "runs" / "wandb_server.py"
    spec = importlib.util.spec_from_file_location("wandb_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    with module.serve() as (server, address):
        yield server, address


def strike(store: Store, kinds: list[str], chance: random.Random, longest: float) -> tuple[Counter[str], int]:
    """Strike a suite on its way with each kind, as long as it has something to do; what struck, and its starts."""
    suite, struck = Suite(store, chance, longest), Counter[str]()
    for kind in kinds:
        if not suite.runs():
            break
        if STRIKES[kind](suite):
            struck[kind] += 1
    if suite.process is not None:
        finish(suite.process)
    return struck, suite.num_starts


def order(num_kinds: int, seed: int) -> Iterator[list[str]]:
    """Kinds for one store after the other; each kind comes equally often, in random order."""
    chance, pool = random.Random(seed), list[str]()
    while True:
        while len(pool) < num_kinds:
            pool += chance.sample(list(STRIKES), len(STRIKES))
        yield pool[:num_kinds]
        del pool[:num_kinds]


def uploads(server: Any) -> list[str]:
    """What is wrong with the runs as the server holds them."""
    wrong = [] if len(server.runs) == NUM_RUNS else [f"{len(server.runs)} runs online"]
    for name, run in server.runs.items():
        if run.epochs != list(range(NUM_EPOCHS)) or run.state != "finished":
            wrong.append(f"run {name} online: {run.state}, epochs {run.epochs}")
    return wrong


def fire(root: Path, server: Any, reference: Store, options: argparse.Namespace) -> int:
    """Strike stores until enough kills have struck; the number of broken rules."""
    total, num_wrong = Counter[str](), 0
    print(f"{'store':>5} {'struck':>6} {'starts':>6} {'seconds':>7}  broken rules", flush=True)
    for number, kinds in enumerate(order(options.each, options.seed)):
        if total.total() >= options.kills or time.monotonic() > options.until:
            break
        server.runs.clear()
        began, store = time.monotonic(), Store(root / f"store-{number}", reference.wandb_url)
        chance = random.Random(f"{options.seed} {number}")
        struck, num_starts = strike(store, kinds, chance, options.longest)
        wrong = settle(store, reference) + uploads(server)
        total, num_wrong = total + struck, num_wrong + len(wrong)
        seconds, shown = time.monotonic() - began, "; ".join(wrong) or "none"
        print(f"{number:>5} {struck.total():>6} {num_starts:>6} {seconds:>7.0f}  {shown}", flush=True)
        if wrong:
            print(f"      struck by: {', '.join(kinds)}", flush=True)
    print(f"\n{'strike':<34} {'struck':>6}")
    for kind in STRIKES:
        print(f"{kind:<34} {total[kind]:>6}")
    print(f"{'in all':<34} {total.total():>6}\n", flush=True)
    return num_wrong


def damage(root: Path, reference: Store, options: argparse.Namespace) -> int:
    """Damage files of two interrupted stores, one a case, and let the suite go on; the number of broken rules."""
    ended, killed = Store(root / "ended", reference.wandb_url), Store(root / "killed", reference.wandb_url)
    bases = [interrupt(ended, NUM_RUNS - 1, signal.SIGTERM), interrupt(killed, NUM_RUNS - 2, signal.SIGKILL)]
    num_wrong = 0
    print(f"{'damage':>6} {'file':<20} {'way':<22} {'set aside':<40} broken rules", flush=True)
    for number, case in enumerate(cases(options.damages, options.seed)):
        if time.monotonic() > options.until:
            break
        place = number % 2
        store = Store(root / f"damaged-{number}", reference.wandb_url)
        wrong = carry_out(case, bases[place], bases[1 - place], store, reference)
        aside = ", ".join(set_aside(RunFolder(store.runs / bases[place].run))) or "-"
        num_wrong += len(wrong)
        print(f"{number:>6} {case.file:<20} {case.way:<22} {aside:<40} {'; '.join(wrong) or 'none'}", flush=True)
    return num_wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=24, help="strikes in all, over as many stores as it takes")
    parser.add_argument("--damages", type=int, default=0, help="damaged files, one a case")
    parser.add_argument("--each", type=int, default=8, help="strikes a store")
    parser.add_argument("--longest", type=float, default=3.0, help="seconds up to a strike, once a run is under way")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing new after this time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a new folder, which stays; a temporary one if not given")
    options = parser.parse_args()
    options.until = time.monotonic() + 60 * options.minutes
    with places(options.out) as root, wandb_server() as (server, address):
        reference = make_reference(root, address)
        num_wrong = fire(root, server, reference, options) if options.kills else 0
        num_wrong += damage(root, reference, options) if options.damages else 0
    print(f"{num_wrong} rules broken" if num_wrong else "whole: every store equals the undisturbed one")
    sys.exit(bool(num_wrong))


if __name__ == "__main__":
    main()
