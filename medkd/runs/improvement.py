"""Whether validation was still rising when training ended."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["describe_improvement"]

# the last part of the epochs, and by how much (of a Dice) it must be above the rest: seeds differ by more
_LAST_PART, _LEAST_GAIN = 0.1, 0.005


def describe_improvement(
    validations: Iterable[tuple[int, float]], epochs: int, metric: str = "validation"
) -> str | None:
    """Describe how validation was still rising, or return None where it was not.

    It was if the best value of the last tenth of the epochs is above the best value of all earlier ones by more than 0.005.

    Args:
        validations: (epoch, key metric) of each validation.
        epochs: number of epochs that were trained.
        metric: name of the key metric.

    Example:
        >>> describe_improvement([(5, 0.5), (9, 0.6), (10, 0.625)], epochs=10, metric="Dice")
        'Dice was still rising: 0.6250 at epoch 10, 0.0250 above the best of the first 9 of 10 epochs'
        >>> describe_improvement([(5, 0.5), (9, 0.6), (10, 0.604)], epochs=10) is None
        True
    """
    first = epochs - max(1, round(_LAST_PART * epochs))  # the last epoch of the earlier ones
    known = [(value, epoch) for epoch, value in validations if not math.isnan(value)]
    earlier = [value for value, epoch in known if epoch <= first]
    last = [(value, epoch) for value, epoch in known if epoch > first]
    if not earlier or not last:
        return None
    (best, epoch), before = max(last), max(earlier)
    if not best - before > _LEAST_GAIN:
        return None
    return (
        f"{metric} was still rising: {best:.4f} at epoch {epoch}, {best - before:.4f} above the best of the first {first} "
        f"of {epochs} epochs"
    )
