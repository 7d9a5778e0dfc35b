"""Write the generated pages of the site, and draw formulas without a script."""

from __future__ import annotations

from typing import Any

from .api import choose_members, escape_docstring, read_lazy_imports, write_api_page
from .command_pages import write_command_pages
from .gallery import write_gallery
from .mathml import add_mathml_renderer
from .method_pages import write_method_pages

__all__ = ["setup", "write_pages"]


def write_pages() -> None:
    """Write all pages below ``docs/generated`` but those of autoapi."""
    write_command_pages()
    write_method_pages()
    write_api_page()
    write_gallery()


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    write_pages()
    add_mathml_renderer(app)
    read_lazy_imports()
    app.connect("autoapi-skip-member", choose_members)
    app.connect("autodoc-process-docstring", escape_docstring, priority=400)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
