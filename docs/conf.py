# SPDX-License-Identifier: Apache-2.0
"""Sphinx configuration; `make docs` builds the manual into build/docs."""

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Cimple"
author = "the Cimple authors"
project_copyright = "the Cimple authors"
version = release = metadata.version("cimple")

extensions = [
    "cimple_tables", "docstrings", "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon",
]
# Two hyphens begin an option; they are no dash.
smartquotes = False
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Parts of pages, code, and workflow files that pages show.
exclude_patterns = ["_generated", "_ext", "ci", "examples"]

html_theme = "alabaster"
html_title = f"Cimple {version}"
html_theme_options = {
    "description": "Open generator of digital SRAM compute-in-memory hardware",
    "fixed_sidebar": True,
    "show_powered_by": False,
    "page_width": "1180px",
    "sidebar_width": "240px",
}
html_show_sourcelink = False
html_copy_source = False

# Docstrings put code into single backticks.
default_role = "code"
napoleon_custom_sections = [("Members", "params_style")]
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_default_options = {"exclude-members": "model_config, __new__"}
autodoc_preserve_defaults = True
autodoc_typehints = "description"
