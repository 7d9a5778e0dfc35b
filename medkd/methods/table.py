"""The methods in one table: what `medkd methods` prints and what README shows."""

from __future__ import annotations

import warnings
from functools import cache

from medkd.networks import FeatureTaps, UNet, UNetPlusPlus

from .loss import build
from .presets import load_preset, names

__all__ = ["COLUMNS", "markdown", "rows"]

COLUMNS = ("method", "paper", "reads", "learns", "step")
_FIRST = ("none", "kd")


@cache
def rows() -> list[dict[str, str]]:
    """One entry a method: its name, paper, what it reads, its learnable parts, the cost of a step beside the floor's.

    The learnable parts are those that `build` makes for a pair of small networks; cost is the preset's, measured by
    ``benchmarks/step_cost.py`` (256 x 256), of a team by ``benchmarks/soft_labels.py`` (224 x 224).
    """
    networks = UNet(2, 3, 2, width=2), UNetPlusPlus(2, 3, 2, width=2, deep_supervision=True)
    student, teacher = (FeatureTaps(network, **network.default_taps()) for network in networks)
    found = []
    for name in sorted(names(), key=lambda name: (name not in _FIRST, name.startswith("hlfd"), name != "none", name)):
        preset = load_preset(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of DKD with two classes: nobody trains here
            loss = build(name, None, student, teacher)
        # "hint.regressor.weight" is a part of the term "hint": regressor
        parts = {path.split(".")[1] for path, _ in loss.losses.named_parameters()}
        cells = (
            name,
            preset["paper"],
            preset["reads"],
            ", ".join(sorted(parts)) or "-",
            f"{preset['cost']:.2f}" if preset["cost"] else "not measured",
        )
        found.append(dict(zip(COLUMNS, cells, strict=True)))
    return found


def markdown() -> str:
    """The table of README."""
    lines = [" | ".join(COLUMNS), " | ".join("---" for _ in COLUMNS)]
    lines += [" | ".join(f"`{row[c]}`" if c == "method" else row[c] for c in COLUMNS) for row in rows()]
    return "\n".join(f"| {line} |" for line in lines)
