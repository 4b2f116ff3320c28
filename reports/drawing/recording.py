"""A figure laid out and drawn once, and written in every format from what was drawn.

Laying out and drawing cost more than writing: Matplotlib places and measures every tick label anew for each format. A
`Recording` is a renderer that keeps what it is told to draw, in points, and tells it to the renderers of the formats.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.backend_bases import FigureCanvasBase, GraphicsContextBase, RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.textpath import TextToPath
from matplotlib.transforms import Affine2D, Bbox, Transform, TransformedPath
from PIL import Image

from .fonts import plain_font

#: Points of an inch, in which vector formats draw.
POINTS = 72
#: Dots of an inch of PNG files, and of images inside of the others.
DOTS = 144
#: zlib's; the highest takes three times as long for files 2 % smaller.
_PNG_COMPRESSION = 3


class Recording(RendererBase):
    """What a figure draws. Lengths are points, the y of texts counts from the bottom."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__()
        self._size = width, height
        self._calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self._metrics = TextToPath()

    def _keep(self, name: str, gc: GraphicsContextBase, *args: Any, **options: Any) -> None:
        # Artists go on with the context that they drew with, and transforms follow their axes.
        kept = GraphicsContextBase()
        kept.copy_properties(gc)
        frozen = (value.frozen() if isinstance(value, Transform) else value for value in args)
        self._calls.append((name, (kept, *frozen), options))

    def draw_path(
        self, gc: GraphicsContextBase, path: Path, transform: Transform, rgbFace: Any = None  # noqa: N803
    ) -> None:  # fmt: skip
        self._keep("draw_path", gc, path, transform, rgbFace)

    def draw_markers(self, gc: GraphicsContextBase, *args: Any, **options: Any) -> None:
        self._keep("draw_markers", gc, *args, **options)

    def draw_path_collection(self, gc: GraphicsContextBase, *args: Any, **options: Any) -> None:
        self._keep("draw_path_collection", gc, *args, **options)

    def draw_quad_mesh(self, gc: GraphicsContextBase, *args: Any, **options: Any) -> None:
        # Otherwise a bar of colours arrives as paths in a form that Agg does not take.
        self._keep("draw_quad_mesh", gc, *args, **options)

    def draw_image(self, gc: GraphicsContextBase, x: float, y: float, im: Any, transform: Any = None) -> None:
        self._keep("draw_image", gc, x, y, im)

    def draw_text(self, gc: GraphicsContextBase, *args: Any, **options: Any) -> None:
        self._keep("draw_text", gc, *args, **options)

    def open_group(self, s: str, gid: str | None = None) -> None:
        self._calls.append(("open_group", (s, gid), {}))

    def close_group(self, s: str) -> None:
        self._calls.append(("close_group", (s,), {}))

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> tuple[float, float, float]:
        return self._metrics.get_text_width_height_descent(s, prop, ismath)

    def get_image_magnification(self) -> float:
        return DOTS / POINTS

    def get_canvas_width_height(self) -> tuple[float, float]:
        return self._size

    def flipy(self) -> bool:
        return False

    def replay(self, renderer: RendererBase, scale: float, *, embeds_fonts: bool = False) -> None:
        """Draw all of it with a renderer that has so many dots a point."""
        larger = Affine2D().scale(scale)
        height = renderer.get_canvas_width_height()[1]
        for name, args, options in self._calls:
            if name in ("open_group", "close_group"):
                getattr(renderer, name)(*args)
                continue
            gc, *rest = args
            if name == "draw_text":
                x, y, text, font = scale * rest[0], scale * rest[1], rest[2], rest[3]
                font = plain_font(text, font) if embeds_fonts else font
                rest[:4] = x, height - y if renderer.flipy() else y, text, font
            elif name == "draw_image":
                rest[:2] = scale * rest[0], scale * rest[1]
            elif scale != 1:
                rest = [value + larger if isinstance(value, Transform) else value for value in rest]
            own = renderer.new_gc()
            own.copy_properties(gc)
            if scale != 1:
                _enlarge_clip(own, larger)
            getattr(renderer, name)(own, *rest, **options)
            own.restore()


def _enlarge_clip(gc: GraphicsContextBase, larger: Affine2D) -> None:
    # Line widths and dashes are points for every renderer.
    if (rectangle := gc.get_clip_rectangle()) is not None:
        gc.set_clip_rectangle(Bbox(larger.transform(rectangle.get_points())))
    path: Any  # declared as if it were a TransformedPath
    path, place = gc.get_clip_path()
    if path is not None and place is not None:
        gc.set_clip_path(TransformedPath(path, place + larger))


class _Canvas(FigureCanvasBase):
    """Where the layout finds the renderer to measure texts with."""

    def __init__(self, figure: Figure, recording: Recording) -> None:
        super().__init__(figure)
        self._recording = recording

    def get_renderer(self) -> Recording:
        return self._recording


class _Recorded(Figure):
    """A figure that draws what another one drew."""

    def __init__(self, recording: Recording, size: Any) -> None:
        super().__init__(figsize=size, dpi=DOTS)
        self._recording = recording

    def draw(self, renderer: Any) -> None:
        # Vector formats set the figure's dots to points before they draw.
        is_pdf = isinstance(self.canvas, FigureCanvasPdf)
        self._recording.replay(renderer, self.dpi / POINTS, embeds_fonts=is_pdf)


def measured(figure: Figure) -> Recording:
    """An empty recording, by which the figure measures from now on, in points."""
    width, height = figure.get_size_inches()
    figure.set_dpi(POINTS)
    _settle(figure)
    recording = Recording(width * POINTS, height * POINTS)
    _Canvas(figure, recording)
    return recording


def written(figure: Figure) -> tuple[str, bytes, bytes]:
    """A figure as SVG, PNG and PDF, none of which says when or with what it was made; it may not be drawn on after."""
    recording = measured(figure)
    svg, png, pdf = io.StringIO(), io.BytesIO(), io.BytesIO()
    figure.draw(recording)
    drawn = _Recorded(recording, figure.get_size_inches())
    FigureCanvasSVG(drawn).print_svg(svg, metadata={"Date": None, "Creator": None})
    drawn.set_dpi(DOTS)
    painted = FigureCanvasAgg(drawn)
    painted.draw()
    # Figures have a ground, so that nothing of them is transparent.
    image = Image.fromarray(np.asarray(painted.buffer_rgba())).convert("RGB")
    image.save(png, "png", compress_level=_PNG_COMPRESSION, dpi=(DOTS, DOTS))
    FigureCanvasPdf(drawn).print_pdf(pdf, metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return svg.getvalue(), png.getvalue(), pdf.getvalue()


def _settle(figure: Figure) -> None:
    """Spare the layout what it would measure for nothing: titles above axes without ticks there, labels without text.

    Both are found by measuring all tick labels again, several times a figure.
    """
    for axes in figure.axes:
        axes.set_title("", loc="right", y=1.0)
        for axis in (axes.xaxis, axes.yaxis):
            if not axis.get_label_text():
                axis.label.set_visible(False)
                axis.set_label_coords(0, 0)
