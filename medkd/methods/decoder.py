"""The method that takes the place of another where the student has no decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medkd.networks import FeatureTaps

__all__ = ["without_decoder"]

_STAGES = 3  # of an encoder: early, mid, late


def without_decoder(
    preset: Mapping[str, Any], args: Mapping[str, Any], student: FeatureTaps, teacher: FeatureTaps
) -> tuple[str, dict[str, Any]] | None:
    """Return the method, and its arguments, that a preset names for a student without decoder.

    Args:
        preset: of the method, with ``without_decoder: {method: NAME, args: {...}}`` if it names another.
        args: arguments that the user gave. Any but ``warmup`` mean the method itself.
        student: the tapped student.
        teacher: the tapped teacher.

    Returns:
        None where the method itself is meant: the preset names no other, the user chose arguments, the student has a decoder,
        or one of the networks has fewer than three encoder stages, or the teacher no decoder. ``terms`` leaves UPD out for a
        teacher without auxiliary logits.

    Example:
        >>> from medkd.networks import ResNetFCN, UNet
        >>> networks = ResNetFCN(2, 1, 2, width=2), UNet(2, 1, 2, width=2)
        >>> student, teacher = (FeatureTaps(network, **network.default_taps()) for network in networks)
        >>> preset = {"without_decoder": {"method": "hlfd", "args": {"late": "final"}}}
        >>> without_decoder(preset, {}, student, teacher)
        ('hlfd', {'late': 'final', 'terms': ['ufd', 'ifd', 'ipd']})
        >>> without_decoder(preset, {}, teacher, teacher)
    """
    stages = (len(taps.names["encoder"]) for taps in (student, teacher))
    if (
        "without_decoder" not in preset
        or set(args) - {"warmup"}
        or student.names["decoder"]
        or not teacher.names["decoder"]
        or min(stages) < _STAGES
    ):
        return None
    other = preset["without_decoder"]
    terms = {} if teacher.names["maps"] else {"terms": ["ufd", "ifd", "ipd"]}
    return other["method"], {**other["args"], **terms, **args}
