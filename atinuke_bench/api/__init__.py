"""What `atinuke_bench` offers to Python: the rooms of the command line, composed for callers instead of for a terminal.

Functions return records and pandas frames, print nothing, and raise the errors of `atinuke_bench.errors`. Modules load
torch, pandas and the tasks inside the calls that need them.
"""
