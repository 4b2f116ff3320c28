"""Imports what runs need, in the server that their processes are forked from.

A task or core that cannot be imported is left out here: a run that asks for it says why.
"""

from __future__ import annotations

import contextlib
import os
import signal

from atinuke_bench import registry
from atinuke_bench.source_code import code_of_run
from atinuke_bench.training.launchers import forget_launcher

# SLURM warns every process of a job; the one that carries out the jobs ends them.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
# A signal to the whole group, as `timeout` sends it, must not end this server: the process that carries out the jobs
# learns from it how they ended. The server goes when that process is gone.
os.setpgrp()
# Lightning keeps, from when it is imported, which of many it takes itself for.
forget_launcher()
# DDP warns at length, once a process, whenever all parameters happen to be used, which here is the common case. Read
# when torch is imported, below.
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")

# Digests too: they are then those of what is loaded, however the files change meanwhile, and no job takes the time.
for _name in registry.task_names():
    with contextlib.suppress(Exception):
        registry.load_task(_name)
        code_of_run(_name, "majority")
for _name in registry.core_names():
    with contextlib.suppress(Exception):
        registry.load_core(_name)
        code_of_run("snli", _name)
