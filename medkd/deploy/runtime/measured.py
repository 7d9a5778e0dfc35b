"""What `medkd export` measured of a file: it travels in the file's metadata."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["MEASURED_KEY", "Measured", "PrecisionChange"]

MEASURED_KEY = "medkd_measured"  # of the ONNX file's metadata


class PrecisionChange(NamedTuple):
    """How predictions of whole cases in another precision differ from those of the original network in float32."""

    cases: str
    """The split of the cases, and whose labels Dice compares with where it is not the ground truth."""
    other_decision: float
    """Share of pixels with another label."""
    dice: dict[str, float]
    """Class -> change of its mean Dice; without classes that no case has."""

    def __str__(self) -> str:
        changes = ", ".join(f"{name} {change:+.4f}" for name, change in self.dice.items()) or "no case has a class"
        return (
            f"change of Dice {changes}; {100 * self.other_decision:.3g} % of pixels with another label ({self.cases})"
        )


@dataclasses.dataclass(frozen=True)
class Measured:
    """Measurements of an ONNX file.

    Attributes:
        precisions: precision other than float32 -> its change.
        int8_times: of an int8 file, runtime -> time of a window divided by that of the float32 file.

    Example:
        >>> measured = Measured({"bf16": PrecisionChange("test", 0.001, {"tumour": -0.0002})}, {})
        >>> print(Measured.from_metadata({MEASURED_KEY: measured.to_json()}).precisions["bf16"])
        change of Dice tumour -0.0002; 0.1 % of pixels with another label (test)
    """

    precisions: dict[str, PrecisionChange]
    int8_times: dict[str, float]

    def to_json(self) -> str:
        """Return a text for the metadata of an ONNX file."""
        precisions = {name: change._asdict() for name, change in self.precisions.items()}
        return json.dumps({"precisions": precisions, "int8_times": self.int8_times})

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Measured:
        """Read what `to_json` wrote; a file without it was not measured.

        Raises:
            ValueError: for another text. The message does not name the file.
        """
        if MEASURED_KEY not in metadata:
            return cls({}, {})
        try:
            content = json.loads(metadata[MEASURED_KEY])
            precisions = {str(name): _change(**fields) for name, fields in content["precisions"].items()}
            return cls(precisions, _numbers(content["int8_times"]))
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
            raise ValueError(f"its {MEASURED_KEY} is not what medkd export writes: export it again") from None


def _change(cases: Any, other_decision: Any, dice: Any) -> PrecisionChange:
    return PrecisionChange(str(cases), float(other_decision), _numbers(dice))


def _numbers(values: Any) -> dict[str, float]:
    return {str(name): float(value) for name, value in values.items()}
