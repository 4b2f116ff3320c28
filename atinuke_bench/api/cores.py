"""`register_core`: a core as a class, without an entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atinuke_bench.core.base import Core


def register_core(core: type[Core[Any]]) -> str:
    """Make a core known to this process, and to the workers that it starts, by the name in its config; that name.

    `core` is a subclass of `atinuke_bench.core.base.Core` with a `config_class` (CONTRIBUTING.md shows one), at the top
    of a module that can be imported, since its code is recorded with every run. `run` registers the class it is given;
    to open or go on with such a run, another process registers it first. The command line knows cores of entry points
    alone.

    ConfigError for any other class, or one whose name another core has.

    >>> from atinuke_bench import register_core
    >>> register_core(dict)
    Traceback (most recent call last):
    atinuke_bench.errors.ConfigError: a core is a subclass of atinuke_bench.core.base.Core with ...
    """
    from atinuke_bench import registry
    from atinuke_bench.core.base import Core
    from atinuke_bench.errors import ConfigError

    if not (isinstance(core, type) and issubclass(core, Core) and hasattr(core, "config_class")):
        raise ConfigError(f"a core is a subclass of {Core.__module__}.Core with a config_class; found {core!r}")
    return registry.register_core(core)
