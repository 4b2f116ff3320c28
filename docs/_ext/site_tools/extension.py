"""What Sphinx is told: pages to generate before it reads any, and formulas as MathML, which needs no script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from site_tools.pages import write_pages


def setup(app: Any) -> dict[str, bool]:
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / "generated"))
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(visitor: Any, node: Any) -> None:
    _append(visitor, _as_mathml(node, is_block=False))


def _block(visitor: Any, node: Any) -> None:
    _append(visitor, f'<div class="formula">{_as_mathml(node, is_block=True)}</div>')


def _as_mathml(node: Any, *, is_block: bool) -> str:
    # With the extra `docs` alone.
    from docutils.utils.math.latex2mathml import tex2mathml

    return str(tex2mathml(node.astext(), as_block=is_block))


def _append(visitor: Any, html: str) -> None:
    from docutils.nodes import SkipNode

    visitor.body.append(html)
    raise SkipNode
