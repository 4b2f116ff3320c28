"""The one question that W&B's server is asked before an upload: how many lines of a run's history it has."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any

from atinuke_bench.errors import TrackerError, one_line

_TIMEOUT = 30.0
# What W&B's client asks first of all at every upload. The answer is where it goes on; a mere look would not show what
# the server makes of a run that is begun again.
_UPSERT = """
mutation UpsertBucket($name: String, $project: String, $entity: String, $groupName: String, $displayName: String) {
  upsertBucket(
    input: {
      name: $name, modelName: $project, entityName: $entity, groupName: $groupName, displayName: $displayName
    }
  ) {
    bucket { historyLineCount }
  }
}
"""


def lines_online(settings: Any, name: str) -> int:
    """Lines of history that the server has of the run of these W&B settings; TrackerError where it does not tell."""
    import wandb

    variables = {
        "name": settings.run_id,
        "project": settings.project,
        "entity": settings.entity or None,
        "groupName": settings.run_group or None,
        "displayName": name,
    }
    key = wandb.Api().api_key
    request = urllib.request.Request(
        f"{settings.base_url.rstrip('/')}/graphql",
        json.dumps({"query": _UPSERT, "variables": variables}).encode(),
        {
            "Content-Type": "application/json",
            "Authorization": f"Basic {base64.b64encode(f'api:{key}'.encode()).decode()}",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            record = json.load(answer)
    except urllib.error.HTTPError as error:
        raise TrackerError(f"W&B refuses the run: {_reason(error.read()) or one_line(error)}") from error
    except (OSError, ValueError) as error:
        raise TrackerError(f"W&B cannot be asked: {one_line(error)}") from error
    try:
        return int(record["data"]["upsertBucket"]["bucket"]["historyLineCount"] or 0)
    except (LookupError, TypeError, ValueError) as error:
        raise TrackerError(f"W&B refuses the run: {_reason(json.dumps(record).encode())}") from error


def _reason(answer: bytes) -> str:
    """What the server says is wrong."""
    try:
        return "; ".join(str(error["message"]) for error in json.loads(answer)["errors"])
    except (LookupError, TypeError, ValueError):
        return answer[:200].decode(errors="replace").strip()
