"""Whether a method can learn from the images of a training, labelled and unlabelled ones.

This module imports neither torch nor MONAI, as `presets`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from medkd.runs.errors import UsageError

from .presets import resolve_preset, resolve_reference

__all__ = ["check_images", "check_logits", "note_images"]


def check_images(name: str, args: Mapping[str, Any] | None, labelled: int, unlabelled: int) -> None:
    """Check that every term of a method has images to learn from.

    Args:
        name: a method, see `names`.
        args: arguments that replace defaults of the preset.
        labelled: number of labelled cases in the training.
        unlabelled: number of unlabelled ones.

    Raises:
        UsageError: for a method that learns from unlabelled images alone, where there is none.

    Example:
        >>> check_images("pseudo", None, labelled=6, unlabelled=0)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        medkd.runs.errors.UsageError: method pseudo: found no unlabelled images, expected some (--unlabelled), or ...
    """
    for term, loss, values in _losses(name, args):
        if loss == "PseudoLabelLoss" and not values["labelled"] and not unlabelled:
            raise UsageError(
                f"method {name}: found no unlabelled images{'' if term == name else f' for the term {term}'}, expected some "
                "(--unlabelled), or --method_args::labelled True"
            )


def check_logits(name: str, loss: Any, labelled: int, unlabelled: int) -> None:
    """Check that something teaches the student's last layer: a label, or a term on its logits.

    Args:
        name: a method, see `names`.
        loss: built by the method; any but a `medkd.losses.CombinedLoss` is taken as it is.
        labelled: number of labelled cases in the training.
        unlabelled: number of unlabelled ones; not read.

    Raises:
        UsageError: for a method on feature maps alone, where no image has a label.
    """
    if labelled or getattr(loss, "teaches_logits", True):
        return
    raise UsageError(
        f"method {name}: found no label, and terms on feature maps alone, which leave the student's last layer untrained: "
        "expected labels (--training_cases), or a method that teaches logits, such as --method pseudo"
    )


def note_images(name: str, args: Mapping[str, Any] | None, labelled: int, unlabelled: int) -> None:
    """Print a note for each part of a method that has no effect in a training without labels; see `check_images`.

    Example:
        >>> note_images("swap", None, labelled=0, unlabelled=20)
        note: method swap: no image has a label, so no soft label is corrected: the student learns as by --method kd
        >>> note_images("swap", None, labelled=1, unlabelled=20)
    """
    if labelled:
        return
    preset, arguments = resolve_preset(name, args)
    if "team" in preset:
        base = arguments.get("base", "kd")
        print(
            f"note: method {name}: no image has a label, so no soft label is corrected: the student learns as by --method "
            f"{base}",
            flush=True,
        )
    for term, loss, values in _losses(name, args):
        if loss == "CIRKDLoss" and (values["pixel_weight"] or values["region_weight"]):
            print(
                f"note: method {name}: no image has a label, so the memory of {term} stays empty and its pixel and region "
                "terms are 0",
                flush=True,
            )


def _losses(name: str, args: Mapping[str, Any] | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the terms of a method, the class of the loss of each, and its arguments."""
    preset, arguments = resolve_preset(name, args)
    for term, content in preset["terms"].items():
        loss = {key: resolve_reference(value, arguments) for key, value in content.get("loss", {}).items()}
        if loss:
            yield term, loss["_target_"].rpartition(".")[2], loss
