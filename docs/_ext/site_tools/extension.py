"""What Sphinx is told: pages to generate before it reads any, and formulas as MathML, which needs no script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils.utils.math.latex2mathml import tex2mathml

from site_tools.pages import write_pages


def setup(app: Any) -> dict[str, bool]:
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / "generated"))
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(visitor: Any, node: Any) -> None:
    visitor.body.append(tex2mathml(node.astext(), as_block=False))
    raise _skip()


def _block(visitor: Any, node: Any) -> None:
    visitor.body.append(f'<div class="formula">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise _skip()


def _skip() -> Exception:
    from docutils.nodes import SkipNode

    return SkipNode()
