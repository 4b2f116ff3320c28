"""Figures as files: drawn once, the same in every format, fit for a paper."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import warnings

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.font_manager import FontProperties
from matplotlib.image import imread

from atinuke_bench.reports.drawing import style
from atinuke_bench.reports.drawing.fonts import plain_font
from atinuke_bench.reports.drawing.recording import written


def figure(name="a name"):
    drawn, (left, right) = style.new_figure(2, 3.0)
    left.plot([1, 2, 3], [1, 4, 2], "o--", clip_on=True, label=name)
    left.fill_between([1, 2, 3], [0, 3, 1], [2, 5, 3], alpha=0.2)
    left.set_xlabel("epoch")
    left.set_title("above", loc="left")
    right.bar([0, 1], [2, 3], hatch="///", edgecolor="white")
    right.imshow([[0, 1], [1, 0]], extent=(0, 1, 0, 1))
    right.set_xscale("symlog")
    return drawn


def test_every_format_shows_what_matplotlib_itself_would_draw():
    drawn = figure()
    with rc_context({"svg.hashsalt": "a", "svg.fonttype": "none", "pdf.fonttype": 42, "text.parse_math": False}):
        svg, png, _ = written(drawn)
        drawn.set_layout_engine("none")
        drawn.set_dpi(144)
        own_svg, own_png = io.StringIO(), io.BytesIO()
        FigureCanvasSVG(drawn).print_svg(own_svg, metadata={"Date": None, "Creator": None})
        drawn.set_dpi(144)
        FigureCanvasAgg(drawn).print_png(own_png)
    without_images = [re.sub(r"<image.*?/>", "", text, flags=re.DOTALL) for text in (svg, own_svg.getvalue())]
    assert without_images[0] == without_images[1]
    ours, theirs = (imread(io.BytesIO(data)) for data in (png, own_png.getvalue()))
    assert ours.shape[:2] == theirs.shape[:2]
    assert ours.shape[0] == 432
    # Texts may lie a fraction of a dot elsewhere: in files for print they are measured without hinting.
    assert ours.shape[2] == 3  # nothing is transparent
    assert (np.abs(ours - theirs[..., :3]).max(axis=2) > 0.5).mean() < 0.01
    assert (ours < 0.5).any()


def test_a_pdf_is_as_wide_as_figures_are_and_embeds_truetype():
    plots = [style.finished(figure(name), "name", "a title") for name in ("a", "a")]
    assert plots[0] == plots[1]  # no dates, no random names
    pdf = plots[0].pdf
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"Date" not in pdf
    (box,) = re.findall(rb"/MediaBox \[ 0 0 (\S+) (\S+) \]", pdf)
    assert [float(side) for side in box] == [style.WIDTH * 72, 3 * 72]


def test_common_letters_are_embedded_from_a_font_cut_down_once():
    font = FontProperties(family="DejaVu Sans", size=9)
    paths = {name: plain_font(name, font).get_file() for name in ("a − b", "größer", "ядро", "中文")}
    assert paths["a − b"] == paths["größer"] is not None
    assert len({*paths.values()}) == 3
    assert paths["中文"] is None
    few, many = (TTFont(paths[name]) for name in ("größer", "ядро"))
    assert len(few.getGlyphOrder()) < 600 < len(many.getGlyphOrder())
    known = few.getBestCmap()
    assert all(known[code] == many.getBestCmap()[code] for code in map(ord, "größer −"))
    assert few["hmtx"]["g"] == many["hmtx"]["g"]
    assert "GSUB" not in few
    assert "fpgm" in few  # hints


@pytest.mark.parametrize("name", ["plain", "größer", "ядро", "中文", "عربي", "क्षि"])
def test_names_in_every_script_are_drawn(name):
    drawn, (axes,) = style.new_figure(1, 2.0)
    axes.set_title(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot = style.finished(drawn, "name", "a title")
    assert name in plot.svg
    if name.isascii() and shutil.which("pdftotext"):
        found = subprocess.run(["pdftotext", "-", "-"], input=plot.pdf, capture_output=True, check=True).stdout
        assert name in found.decode()
