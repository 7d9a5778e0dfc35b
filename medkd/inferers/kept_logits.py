"""An inferer whose logits are kept."""

from __future__ import annotations

import copy

from monai.inferers import Inferer

__all__ = ["keep_logits"]


def keep_logits(inferer: Inferer) -> Inferer:
    """Return a copy of an inferer that returns logits in place of labels; an inferer of MONAI does so already.

    Example:
        >>> from medkd.inferers import SliceBatchInferer
        >>> keep_logits(SliceBatchInferer((32, 32), decide=lambda logits: logits.argmax(0))).decide is None
        True
    """
    kept = copy.copy(inferer)
    if hasattr(kept, "decide"):
        kept.decide = None
    return kept
