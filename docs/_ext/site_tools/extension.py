"""What Sphinx is told: pages to generate before it reads any, and formulas as MathML, which needs no script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from site_tools.pages import write_pages

#: What the theme leaves out, for who reads by keyboard or ear: what scrolls takes the focus, headings have a level,
#: and of two sidebars each has a name. No text is its own replacement, so that a page may be built twice.
ACCESSIBLE = {
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper colwidths-auto docutils container">': (
        '<div class="table-wrapper colwidths-auto docutils container" tabindex="0">'
    ),
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="Pages">',
    '<aside class="toc-drawer no-toc">': '<aside class="toc-drawer no-toc" aria-label="On this page">',
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="On this page">',
}


def setup(app: Any) -> dict[str, bool]:
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / "generated"))
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("build-finished", _make_accessible)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _make_accessible(app: Any, exception: Exception | None) -> None:
    if exception is not None or app.builder.name != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        path.write_text(accessible(path.read_text(encoding="utf-8")), encoding="utf-8")


def accessible(html: str) -> str:
    """A page of the theme with what it lacks.

    >>> accessible(accessible("<pre>a</pre>"))
    '<pre tabindex="0">a</pre>'
    """
    for lacking, whole in ACCESSIBLE.items():
        html = html.replace(lacking, whole)
    return html


def _inline(visitor: Any, node: Any) -> None:
    _append(visitor, _as_mathml(node, is_block=False))


def _block(visitor: Any, node: Any) -> None:
    _append(visitor, f'<div class="formula" tabindex="0">{_as_mathml(node, is_block=True)}</div>')


def _as_mathml(node: Any, *, is_block: bool) -> str:
    # With the extra `docs` alone.
    from docutils.utils.math.latex2mathml import tex2mathml

    return str(tex2mathml(node.astext(), as_block=is_block))


def _append(visitor: Any, html: str) -> None:
    from docutils.nodes import SkipNode

    visitor.body.append(html)
    raise SkipNode
