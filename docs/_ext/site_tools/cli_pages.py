"""The reference of the command line, made of the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from atinuke_bench.cli import app
from site_tools.markdown import code, prose, table


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, by what is typed (`sweep show`), in the order of `--help`."""
    root = typer.main.get_command(app)
    yield from _below("", root)


def _below(path: str, group: Any) -> Iterator[tuple[str, Any]]:
    names = group.list_commands(typer.Context(group))
    for name in names:
        command = group.commands[name]
        if command.hidden:
            continue
        whole = f"{path} {name}".strip()
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield whole, command
            yield from _below(whole, command)
        else:
            yield whole, command


def cli_page() -> str:
    """The whole page as Markdown: each command with its arguments, options and example."""
    lines = [
        "# Command line",
        "",
        "Every command has `--help`. Those that print results take `--json`: one JSON document on standard output, all "
        "else on standard error. A mistake ends in one line and exit status 2.",
        "",
    ]
    for name, command in commands():
        lines += [f"## atinuke-bench {name}", "", *_paragraphs(command.help), *_example(command.epilog)]
        shown = [one for one in command.params if not getattr(one, "hidden", False) and one.name != "help"]
        lines += table(("argument or option", "means", "default"), [_row(one) for one in shown])
    return "\n".join(lines)


def _paragraphs(text: str | None) -> list[str]:
    found = [" ".join(part.split()) for part in (text or "").replace("\b", "").split("\n\n")]
    return [line for part in found for line in (prose(part), "")]


def _example(epilog: str | None) -> list[str]:
    if not epilog:
        return []
    name, _, text = epilog.partition(": ")
    return [f"{name}: {code(' '.join(text.split()))}", ""]


def _row(parameter: Any) -> tuple[str, str, str]:
    is_argument = parameter.param_type_name == "argument"
    names = (
        [parameter.metavar or parameter.name.upper()] if is_argument else [*parameter.opts, *parameter.secondary_opts]
    )
    text = " / ".join(names) + (" …" if parameter.multiple or parameter.nargs == -1 else "")
    default = "**needed**" if parameter.required else _default(parameter)
    return code(cell_safe(text)), prose(parameter.help or ""), default


def cell_safe(text: str) -> str:
    return text.replace("|", "/")


def _default(parameter: Any) -> str:
    default = parameter.default() if callable(parameter.default) else parameter.default
    if default is None or isinstance(default, bool) or default in ((), [], "") or parameter.is_eager:
        return ""
    return code(getattr(default, "value", default))
