"""How this package records in Weights & Biases: quietly, and without what W&B would gather of the machine."""

from __future__ import annotations

from typing import Any


def offline_settings() -> Any:
    """Settings of an offline record.

    W&B's metadata would hold the whole command line, and with it the password of `--storage`.
    """
    import wandb

    return wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        save_code=False,
        disable_job_creation=True,
        x_disable_stats=True,
        x_disable_meta=True,
    )
