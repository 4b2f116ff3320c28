"""The report in Weights & Biases: its tables and its files as an artifact of one `report` run, recorded offline."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from atinuke_bench.errors import TrackerError
from atinuke_bench.wandb_settings import offline_settings

from ..report import Report

JOB_TYPE = "report"
#: W&B shows at most this many rows of a table; the artifact has all.
MAX_TABLE_ROWS = 10_000


def log_report(report: Report, out: Path, project: str = "atinuke-bench") -> Path:
    """Record the written report under `out/wandb` without any network; the folder of the offline run.

    `wandb sync` uploads it. TrackerError when it cannot be recorded.
    """
    import wandb

    config = {"num_runs": len(report.frame.runs), "version": importlib.metadata.version("atinuke-bench")}
    try:
        with wandb.init(
            project=project, job_type=JOB_TYPE, name=f"report {out.name}", config=config, dir=str(out), mode="offline",
            settings=offline_settings(),
        ) as run:  # fmt: skip
            for table in report.tables:
                # All columns of one kind each, since W&B refuses a column of mixed ones.
                rows = table.data.head(MAX_TABLE_ROWS)
                texts = rows.select_dtypes(exclude=["number", "bool"]).columns
                run.log({f"report/{table.name}": wandb.Table(dataframe=rows.astype(dict.fromkeys(texts, str)))})
            artifact = wandb.Artifact("report", type="report")
            artifact.add_file(str(out / "report.html"))
            for folder in ("tables", "figures"):
                artifact.add_dir(str(out / folder), name=folder)
            run.log_artifact(artifact)
            return Path(run.dir).parent
    except (OSError, ValueError, TypeError, wandb.Error) as error:
        raise TrackerError(f"{out}: the report is written; W&B could not record it ({error})") from error
