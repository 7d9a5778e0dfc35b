"""Choose what the API reference shows: the packages that are used in Python, read from their sources."""

from __future__ import annotations

import re
from typing import Any

from .pages import table, write

__all__ = ["PACKAGES", "choose_members", "escape_docstring", "read_lazy_imports", "write_api_page"]

PACKAGES = {
    "medkd": "the package: its version",
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


def read_lazy_imports() -> None:
    """Let autoapi see every import of an ``if TYPE_CHECKING`` block, as lazy packages have; it reads the first one alone."""
    from autoapi._astroid_utils import is_local_import_from
    from autoapi._parser import Parser

    def parse_if(parser: Any, node: Any) -> list[Any]:
        imports = [child for child in node.body if is_local_import_from(child, "medkd")]
        return [entry for child in imports for entry in parser._parse_local_import_from(child)]

    Parser.parse_if = parse_if


# shapes such as (N, K, *spatial), and absolute values: to reStructuredText they begin emphasis and a substitution
_BEGINS_MARKUP = re.compile(r"(?<![\\\w*`])(\*(?=\w)|\|(?=[\w ]))")


def escape_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape a lone star and a bar outside literals, formulas and examples."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...", ".. math")):
            parts = re.split(r"(``.*?``)", line)
            lines[number] = "".join(
                part if part.startswith("``") else _BEGINS_MARKUP.sub(r"\\\1", part) for part in parts
            )
