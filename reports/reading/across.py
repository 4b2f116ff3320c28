"""Runs of differing protocols side by side, on purpose: a field of the protocol becomes part of what is compared.

Pretraining is such a field: two runs that differ in nothing else are in two columns, since a table must not mix them
unasked; but what pretraining is worth is the difference between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from atinuke_bench.errors import ConfigError, nearest

from .column import Column
from .frame import Frame


def across(frame: Frame, fields: Sequence[str]) -> Frame:
    """The frame with columns that ignore some fields of the protocol; a variant's name then says their values.

    ConfigError for a field that no protocol has.
    """
    if not fields or frame.runs.empty:
        return frame
    known = {name for protocol in frame.protocols.values() for name in protocol}
    for field in fields:
        if field not in known:
            near = nearest(field, known)
            hint = f"nearest: {near!r}" if near else f"protocols have {', '.join(sorted(known))}"
            raise ConfigError(f"no field {field!r} in the protocols of these runs; {hint}")
    columns, variants, protocols = [], [], {}
    for row in frame.runs.to_dict("records"):
        protocol = dict(frame.protocols[row["column"]])
        shown = "; ".join(f"{field}: {protocol.pop(field, None)}" for field in fields)
        columns.append(Column.of(row["task"], protocol, row["split"], row["metric"]))
        variants.append(f"{row['variant']} {{{shown}}}")
        protocols[columns[-1]] = protocol
    runs = frame.runs.assign(column=pd.Series(columns, frame.runs.index, dtype=object), variant=variants)
    return replace(frame, runs=runs, protocols=protocols)
