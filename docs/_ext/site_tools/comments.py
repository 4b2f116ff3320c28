"""What the source says of the fields of a config: the `#:` comments above them, which no model keeps."""

from __future__ import annotations

import inspect
from functools import cache

from pydantic import BaseModel


@cache
def field_comments(model: type[BaseModel]) -> dict[str, str]:
    """Field -> its description or the `#:` comment above it, as one line; those of base classes too.

    >>> from atinuke_bench.config import SourceConfig
    >>> field_comments(SourceConfig)["data_dir"]
    'Folder of the official files (`local`).'
    """
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if base is not BaseModel and issubclass(base, BaseModel):
            found |= _own_comments(base)
    described = {name: field.description for name, field in model.model_fields.items() if field.description}
    return {name: text for name, text in (found | described).items() if name in model.model_fields}


def _own_comments(model: type[BaseModel]) -> dict[str, str]:
    found, comment = {}, []
    for line in inspect.getsource(model).splitlines():
        text = line.strip()
        if text.startswith("#:"):
            comment.append(text.removeprefix("#:").strip())
            continue
        name = text.partition(":")[0]
        if comment and name.isidentifier():
            found[name] = " ".join(comment)
        comment = []
    return found
