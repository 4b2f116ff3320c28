"""Imports what runs need, in the server that their processes are forked from.

A task or core that cannot be imported is left out here: a run that asks for it says why.
"""

from __future__ import annotations

import contextlib

from atinuke_bench import registry

for _name in registry.task_names():
    with contextlib.suppress(Exception):
        registry.load_task(_name)
for _name in registry.core_names():
    with contextlib.suppress(Exception):
        registry.load_core(_name)
