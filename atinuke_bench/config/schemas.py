"""The JSON Schemas that come with the package, by which editors complete and check the YAML files that users write.

`docs/_ext/site_tools/schemas.py` makes them of the models; nothing here reads a YAML file by them.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from atinuke_bench.errors import UnknownNameError


def schema_kinds() -> dict[str, Path]:
    """The schema of each kind of file: recipe, space, suite, task."""
    folder = Path(str(resources.files("atinuke_bench"))) / "schemas"
    return {path.name.partition(".")[0]: path for path in sorted(folder.glob("*.schema.json"))}


def schema_path(kind: str) -> Path:
    """Where the schema of a kind of file lies; UnknownNameError.

    >>> schema_path("suite").name
    'suite.schema.json'
    """
    kinds = schema_kinds()
    if kind not in kinds:
        raise UnknownNameError("schema", kind, kinds, f"it is one of {', '.join(kinds)}")
    return kinds[kind]


def schema_comment(kind: str) -> str:
    """The first line of a YAML file that tells editors its schema."""
    return f"# yaml-language-server: $schema={schema_path(kind)}"
