"""Choose what the API reference shows: the packages that are used in Python, read from their sources."""

from __future__ import annotations

from typing import Any

from .pages import table, write

__all__ = ["PACKAGES", "choose_members", "write_api_page"]

PACKAGES = {
    "medkd": "the loss of a pair of plain networks in one call",
    "medkd.losses": "the terms, and their weighted sum",
    "medkd.methods": "presets: the loss of a method for a pair of networks",
    "medkd.networks": "networks, and taps of their stages",
    "medkd.correction": "PLC-KD's correction of soft labels",
    "medkd.metrics": "metrics of whole cases",
    "medkd.phantoms": "synthetic data sets",
    "medkd.visuals": "figures of cases, taps and teams",
}


def write_api_page() -> None:
    """Write ``api.md``."""
    rows = [[f"[`{name}`](api/{name.replace('.', '/')}/index.rst)", text] for name, text in PACKAGES.items()]
    toctree = ["```{toctree}", ":hidden:", "", *(f"api/{name.replace('.', '/')}/index" for name in PACKAGES), "```"]
    text = "Generated from the docstrings. Everything else of medkd serves the command line and may change."
    write("api.md", "\n".join(["# Python API", "", text, "", table(["package", ""], rows), "", *toctree, ""]))


def choose_members(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool:
    """Skip modules other than `PACKAGES`; what these import is documented with them."""
    return skip or (what in ("module", "package") and name not in PACKAGES)
