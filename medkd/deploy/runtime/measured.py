"""What `medkd export` measured of a network in another precision: it travels in the ONNX file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["MEASURED_KEY", "PrecisionChange", "changes_from_metadata", "changes_to_json"]

MEASURED_KEY = "medkd_precisions"  # of the ONNX file's metadata


class PrecisionChange(NamedTuple):
    """How predictions of whole cases in another precision differ from those of the original network in float32."""

    split: str
    """The split of the cases."""
    other_decision: float
    """Share of pixels with another label."""
    dice: dict[str, float]
    """Class -> change of its mean Dice; without classes that no case has."""

    def __str__(self) -> str:
        changes = ", ".join(f"{name} {change:+.4f}" for name, change in self.dice.items()) or "no case has a class"
        return f"Dice {changes}; {100 * self.other_decision:.3g} % of pixels with another label ({self.split} split)"


def changes_to_json(changes: Mapping[str, PrecisionChange]) -> str:
    """Return the changes of each precision as a text for the metadata of an ONNX file."""
    return json.dumps({precision: change._asdict() for precision, change in changes.items()})


def changes_from_metadata(metadata: Mapping[str, str]) -> dict[str, PrecisionChange]:
    """Return precision -> change; empty for a file in which nothing was measured.

    Raises:
        ValueError: for a text that `changes_to_json` did not write. The message does not name the file.

    Example:
        >>> change = PrecisionChange("test", 0.001, {"tumour": -0.0002})
        >>> print(changes_from_metadata({MEASURED_KEY: changes_to_json({"bf16": change})})["bf16"])
        Dice tumour -0.0002; 0.1 % of pixels with another label (test split)
    """
    try:
        content = json.loads(metadata.get(MEASURED_KEY, "{}"))
        return {precision: _change(**fields) for precision, fields in content.items()}
    except (AttributeError, RecursionError, TypeError, ValueError):
        raise ValueError(f"its {MEASURED_KEY} are not what medkd export writes: export it again") from None


def _change(split: Any, other_decision: Any, dice: Any) -> PrecisionChange:
    return PrecisionChange(str(split), float(other_decision), {str(name): float(value) for name, value in dice.items()})
