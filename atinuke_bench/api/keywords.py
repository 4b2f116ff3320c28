"""Errors in the words of who calls: the keyword of a function, where a message names the command's option."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection
from typing import ParamSpec, TypeVar

from atinuke_bench.errors import AtinukeBenchError

P = ParamSpec("P")
T = TypeVar("T")

#: An option, with the word that stands for its value, or the value of one that takes a few words.
_OPTION = re.compile(r"--(no-)?([a-z][a-z-]*)(?: ([A-Z]{2,}|microworld|local|hub)\b)?")
_SET = re.compile(r"--set ([\w.]+)=([^\s;,]+)")
#: Options whose keyword has another name.
_NAMES = {"map": "label_map", "texts": "keep_texts"}


def names_keywords(function: Callable[P, T]) -> Callable[P, T]:
    """A function of the API whose errors name its keywords in place of the options of the command line."""
    keywords = frozenset(inspect.signature(function).parameters)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except AtinukeBenchError as error:
            error.args = (in_keywords(str(error), keywords), *error.args[1:])
            raise

    return call


def in_keywords(message: str, keywords: Collection[str]) -> str:
    """A message with each option that is one of the keywords named as that; other options stay.

    >>> in_keywords("give --data-dir DIR, --source hub or --trials 3", ["data_dir", "source"])
    "give data_dir=DIR, source='hub' or --trials 3"
    >>> in_keywords("nearest: --set training.max_length=128", ["overrides"])
    "nearest: overrides={'training.max_length': 128}"
    """
    if "overrides" in keywords:
        message = _SET.sub(lambda found: f"overrides={{{found[1]!r}: {found[2]}}}", message)

    def named(found: re.Match[str]) -> str:
        negated, option, value = found.groups()
        name = _NAMES.get(option, option.replace("-", "_"))
        if name not in keywords:
            return found[0]
        if negated:
            return f"{name}=False"
        if value is None:
            return name
        return f"{name}={value if value.isupper() else repr(value)}"

    return _OPTION.sub(named, message)
