"""Write the generated pages of the site, and draw formulas without a script."""

from __future__ import annotations

from typing import Any

from .mathml import add_mathml_renderer

__all__ = ["setup"]


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    add_mathml_renderer(app)
    app.connect("autoapi-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


PUBLIC = ("medkd", "medkd.losses", "medkd.networks", "medkd.methods")


def _skip(app, what, name, obj, skip, options):
    if what in ("module", "package") and name not in PUBLIC:
        return True
    return skip
