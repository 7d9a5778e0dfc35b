"""Tabulate the methods: what `medkd methods` prints and the site shows. The presets alone are read, torch is not imported."""

from __future__ import annotations

from .presets import load_preset, names

__all__ = ["COLUMNS", "markdown", "rows"]

COLUMNS = ("method", "paper", "reads", "learns", "step")
_FIRST = ("none", "kd", "recommended")


def rows() -> list[dict[str, str]]:
    """Return one row a method: its name, paper, input, learnable parts, and relative cost of a training step.

    The cost was measured by ``benchmarks/step_cost.py`` (256 x 256), that of a teacher team by
    ``benchmarks/soft_labels.py`` (224 x 224).

    Example:
        >>> rows()[1]
        {'method': 'kd', 'paper': 'Hinton et al., 2015', 'reads': 'logits', 'learns': '-', 'step': '1.00'}
    """
    table = []
    for name in sorted(names(), key=_order):
        preset = load_preset(name)
        cost = f"{preset['cost']:.2f}" if preset["cost"] else "not measured"
        cells = (name, preset["paper"], preset["reads"], preset["learns"], cost)
        table.append(dict(zip(COLUMNS, cells, strict=True)))
    return table


def _order(name: str) -> tuple[bool, bool, bool, str]:
    """Sort "none", "kd" and "recommended" first, then the other methods, then those of the HLFD paper."""
    return name not in _FIRST, name.startswith("hlfd"), name != "none", name


def markdown() -> str:
    """Return the table in Markdown.

    Example:
        >>> markdown().splitlines()[0]
        '| method | paper | reads | learns | step |'
    """
    lines = [" | ".join(COLUMNS), " | ".join("---" for _ in COLUMNS)]
    lines += [" | ".join(f"`{row[c]}`" if c == "method" else row[c] for c in COLUMNS) for row in rows()]
    return "\n".join(f"| {line} |" for line in lines)
