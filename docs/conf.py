"""How the documentation site is built: `make docs`. Nothing of it is fetched, when it is built or when it is read."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

import atinuke_bench  # noqa: E402

project = "atinuke-bench"
author = "atinuke-bench contributors"
project_copyright = author
version = release = atinuke_bench.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "site_tools.extension"]
exclude_patterns = ["_build", "_ext", "notebooks"]
# A single backtick in a docstring is code, as it is in Markdown.
default_role = "code"
nitpicky = True

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 4
# Listings have placeholders such as … that no highlighter knows.
suppress_warnings = ["misc.highlighting_failure"]

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
# Classes of Python and of other packages, whose inventories only a network has, and of rooms that no page shows.
nitpick_ignore_regex = [
    ("py:class", r"(pathlib\.)?Path|collections\.abc\.\w+|pd\.DataFrame|nn\.Module"),
    ("py:class", r"Core|Place|Trained|Frame"),
]

templates_path = ["_templates"]
html_theme = "furo"
html_title = f"atinuke-bench {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_math_renderer = "mathml"
