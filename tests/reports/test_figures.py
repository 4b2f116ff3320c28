"""Figures: one size of type, colours that follow the page's scheme, names that cover nothing, and what marks say."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.layout_engine import PlaceHolderLayoutEngine

from atinuke_bench.reports.drawing.labels import label_points
from atinuke_bench.reports.drawing.plots import History, SliceTable, confusion_matrices, learning_curves, slice_figure
from atinuke_bench.reports.drawing.style import finished, looks, new_figure, themed, tip

EVIL = '<script>"&'
SVG = "{http://www.w3.org/2000/svg}"


def _titles(plot):
    """The texts of a figure's marks, with the element that each is of."""
    tree = ElementTree.fromstring(plot.svg)
    return [
        (parent.tag.removeprefix(SVG), child.text)
        for parent in tree.iter()
        for child in parent
        if child.tag == f"{SVG}title"
    ]


def test_a_mark_says_what_it_is_point_by_point():
    figure, (axes,) = new_figure(1, 2.0)
    (line,) = axes.plot([1, 2, 3], [5, 4, 6], marker="o")
    tip(line, "first", EVIL, "third")
    (alone,) = axes.plot([2], [5], marker="s")
    tip(alone, "alone")
    plot = finished(figure, "f", "t")
    assert _titles(plot) == [("use", "first"), ("use", EVIL), ("use", "third"), ("g", "alone")]
    uses = re.findall(r'<use [^>]*x="([\d.]+)"[^>]*><title>', plot.svg)
    assert [float(x) for x in uses] == sorted(map(float, uses))
    assert "tip:" not in plot.svg


def _figures():
    look = looks(["a", f"b[{EVIL}]"])
    mean = pd.DataFrame({name: [50.0, 60.0, np.nan] for name in look}, index=["x", "y", "z"])
    counts = pd.Series({"x": 9, "y": 8})
    matrix = pd.DataFrame([[8, 2], [1, 9]], index=["no", "yes"], columns=["no", "yes"])
    history: list[History] = [([0, 1], [0.5, 0.4], [50.0, 60.0])]
    ordered = mean.set_axis(["0-4", "5-9", "10+"])
    yield learning_curves("t", dict.fromkeys(look, history), look)
    yield confusion_matrices("t", dict.fromkeys(look, matrix))
    for table in (mean, ordered, mean.set_axis([f"a label of very many letters {n}" for n in range(3)])):
        yield slice_figure(SliceTable("t", "s", "f1", table, table - 1, table + 1, counts, 3), look)


@pytest.fixture(scope="module", name="plots")
def _plots():
    return list(_figures())


def test_all_text_of_all_figures_is_of_one_size(plots):
    sizes = {size for plot in plots for size in re.findall(r"font(?:-size)?: (?:\w+ )*?([\d.]+)px", plot.svg)}
    assert sizes == {"9"}
    widths = {width for plot in plots for width in re.findall(r'<svg [^>]*width="([\d.]+)pt"', plot.svg)}
    assert widths == {"432"}


def test_every_figure_says_its_values_and_only_those_there_are(plots):
    for plot in plots:
        texts = [text for _, text in _titles(plot)]
        assert texts, plot.title
        assert "nan" not in " ".join(texts)
        assert "–" not in " ".join(texts)
    assert "a: yes for gold no: 2 of 10 (20.0 %)" in [text for _, text in _titles(plots[1])]
    assert "a, 5-9: 60.00 (seeds 59.00 to 61.00)" in [text for _, text in _titles(plots[3])]


def test_text_and_axes_have_the_colour_of_the_scheme(plots):
    for plot in plots:
        shown = themed(plot.svg)
        assert "#1b1b1b" not in shown
        assert "#ffffff" not in shown
        for text in re.findall(r"<text[^>]*>", shown):
            # Numbers on the squares of a matrix are on the squares' own colour.
            assert "fill: var(--ink)" in text or "fill: #fefefe" in text or "fill: #111111" in text


def test_names_beside_points_cover_neither_each_other_nor_a_point():
    _, (axes,) = new_figure(1, 3.0)
    points = [(1 + 0.01 * n, 50.0 + 0.05 * n, f"a core of a long name {n}") for n in range(8)]
    axes.plot(*zip(*[point[:2] for point in points], strict=True), "o")
    axes.margins(0.25)
    label_points(axes, points)
    names = [text for text in axes.texts if text.get_text()]
    boxes = [text.get_window_extent() for text in names]
    assert len(boxes) == 8
    assert not [(a, b) for n, a in enumerate(boxes) for b in boxes[:n] if a.padded(-1).overlaps(b.padded(-1))]
    marks = axes.transData.transform([point[:2] for point in points])
    assert not [mark for mark in marks for box in boxes if box.padded(-1).contains(*mark)]


@pytest.mark.parametrize(
    ("name", "is_settled"), [("near", True), ("a name longer than the figure is wide " * 3, False)]
)
def test_a_name_that_sticks_out_has_room_made_for_it(name, is_settled):
    figure, (axes,) = new_figure(1, 2.0)
    axes.plot([1, 2], [1, 1], "o")
    label_points(axes, [(1.0, 1.0, name)])
    # A figure that is laid out has a stand-in for its layout.
    assert isinstance(figure.get_layout_engine(), PlaceHolderLayoutEngine) == is_settled
