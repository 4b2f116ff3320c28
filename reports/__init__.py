"""Tables, plots and tests from run folders, without torch.

    reading     run folders, suites, W&B projects and the published record
    statistics  scores resampled, compared and tested
    sections    what a report says: tables and plots of one question each
    drawing     how every figure looks
    writing     the page, tables as files, the record in W&B

`report` computes all sections, and `pairwise` is `compare A B`. For the plain figures of many runs begin with
`read_frame`.
"""

from .reading.collect import read_frame

__all__ = ["read_frame"]
