# SPDX-License-Identifier: Apache-2.0
"""Pages from the templates of this package."""

from pathlib import Path
from typing import Any

import jinja2

__all__ = ["render"]


def render(name: str, **values: Any) -> str:
    """The text of a template, `NAME.html.j2`; what it asks for must be given."""
    template = (Path(__file__).parent / f"{name}.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(template).render(values)
