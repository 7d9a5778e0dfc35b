"""Write a generated page or picture, where its content has changed: Sphinx then reads the others from its cache."""

from __future__ import annotations

from pathlib import Path

__all__ = ["GENERATED", "ROOT", "table", "write"]

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "docs/generated"


def write(name: str, text: str) -> None:
    """Write ``docs/generated/<name>``."""
    path = GENERATED / name
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def table(head: list[str], rows: list[list[str]]) -> str:
    r"""Return a Markdown table; a vertical bar inside a cell is escaped.

    Example:
        >>> print(table(["a", "b"], [["1", "x|y"]]))
        | a | b |
        | --- | --- |
        | 1 | x\\|y |
    """
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
