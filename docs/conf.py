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

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

exclude_patterns = ["_generated", "_ext", "ci"]

html_theme = "alabaster"
html_title = f"Cimple {version}"
html_copy_source = False

napoleon_custom_sections = [("Members", "params_style")]
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
