"""Survey of a user's pictures: each case is read and measured, then the form and training settings are proposed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from medkd.data import natural_key
from medkd.io import FORMS, form_channels, picture_form, to_form

from ._cases import CaseFiles
from ._each_case import each_case
from ._own_pictures import Masks, OwnPair, read_own_pair, read_without_mask
from ._picture_report import PictureMeasures
from ._refusals import shortened
from ._sides import Position, measure_positions
from ._survey import PERCENTS, spread

__all__ = ["OwnMeasures", "check_palettes", "choose_form", "class_measures", "propose_settings", "survey_pictures"]

SAMPLES = {"image": 1_000_000, "data set": 2000}  # pixels of a picture, evenly spread, for percentiles
FEW_BITS = 4096  # 16-bit numbers that are all below have 12 bit or fewer
LARGEST_EDGE, EDGE_STEP = 512, 32  # pixels of the network's input
CHOICES = ("grey", "rgb")  # of --form


@dataclass(frozen=True)
class OwnMeasures:
    """Measures of one case, as in its files.

    Attributes:
        form: of the image, one of `medkd.io.FORMS`.
        is_grey: whether the image is grey, or RGB with three equal channels.
        lowest: lowest intensity.
        percentiles: intensities at `PERCENTS`, all channels.
        highest: highest intensity.
        sample: intensities of a few pixels that are evenly spread over the image.
        classes: label value -> measures of that class.
        positions: label value -> where it lies.
        palette: label value -> its colour, of a mask with a palette.
        shared: measures of the case as such: those of a class without a pixel.
    """

    form: str
    is_grey: bool
    lowest: float
    percentiles: tuple[float, ...]
    highest: float
    sample: np.ndarray
    classes: Mapping[int, PictureMeasures]
    positions: Mapping[int, Position]
    palette: Mapping[int, tuple[int, ...]]
    shared: PictureMeasures


def survey_pictures(
    files: Mapping[str, CaseFiles], masks: Mapping[str, Masks], numbers: Mapping[str, int], workers: int | None
) -> tuple[dict[str, OwnMeasures], dict[str, str]]:
    """Read every case; return the measures of the usable ones and the reasons of the refused ones.

    Args:
        files: case -> files.
        masks: case -> class -> mask; empty for images without labels.
        numbers: class -> label value, where there is a folder for each class.
        workers: number of processes, see `each_case`.
    """
    measured: dict[str, OwnMeasures] = {}
    refused: dict[str, str] = {}
    for case, measures in each_case(partial(_measure, masks, numbers), files, workers, "read").items():
        if isinstance(measures, OwnMeasures):
            measured[case] = measures
        else:
            refused[case] = " ".join(str(measures).split())
    return measured, refused


def _measure(masks: Mapping[str, Masks], numbers: Mapping[str, int], case: str, files: CaseFiles) -> OwnMeasures:
    if not masks:
        return _measure_own_pair(read_without_mask(files.images[0]))
    return _measure_own_pair(read_own_pair(files.images[0], masks[case], numbers))


def _measure_own_pair(pair: OwnPair) -> OwnMeasures:
    form = picture_form(pair.file)
    image, labels = to_form(pair.file, form), pair.labels
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    values, counts = np.unique(labels, return_counts=True)
    shared = PictureMeasures(
        size=(labels.shape[0], labels.shape[1]),
        image=f"{pair.file.mode} {pair.file.bits} bit",
        mask=pair.mask,
        pixels=0,
        soft=pair.soft,
        remarks=pair.remarks,
    )
    return OwnMeasures(
        form=form,
        is_grey=bool((image == image[:1]).all()),
        lowest=float(image.min()),
        percentiles=tuple(np.percentile(spread(image.ravel(), SAMPLES["image"]), PERCENTS).tolist()),
        highest=float(image.max()),
        sample=spread(image.ravel(), SAMPLES["data set"]).astype(np.float32),
        classes={
            int(value): replace(shared, pixels=int(count), border=float((edge == value).mean()))
            for value, count in zip(values, counts, strict=True)
            if value
        },
        positions=measure_positions(labels),
        palette=dict(pair.palette),
        shared=shared,
    )


def class_measures(measured: Mapping[str, OwnMeasures], value: int) -> dict[str, PictureMeasures]:
    """Return case -> measures of one class, also of the cases that lack it."""
    return {case: one.classes.get(value, one.shared) for case, one in measured.items()}


def check_palettes(measured: Mapping[str, OwnMeasures]) -> None:
    """Raise ValueError where an index of palettes has several colours: programs that make one for each file number anew."""
    first: dict[int, tuple[str, tuple[int, ...]]] = {}
    for case, measures in measured.items():
        for value, colour in measures.palette.items():
            other, found = first.setdefault(value, (case, colour))
            if value and found != colour:
                raise ValueError(
                    f"--labels: found palettes in which index {value} is the colour {list(found)} (mask of {other}) and "
                    f"{list(colour)} ({case}), expected one palette for all masks, or a number for each class"
                )


def choose_form(measured: Mapping[str, OwnMeasures], form: str | None) -> str:
    """Return the one form of a data set.

    Args:
        measured: case -> measures.
        form: ``--form``: "grey", "rgb", or None: the one that all images have.

    Raises:
        ValueError: for images of several forms without ``--form``; and for 16 bit of fewer bits beside images of 8 bit.
    """
    cases: dict[str, list[str]] = {}
    for case in sorted(measured, key=natural_key):
        cases.setdefault(measured[case].form, []).append(case)
    if form is None and len(cases) > 1:
        listed = "; ".join(f"{FORMS[one]}: {len(names)} ({shortened(names, 3)})" for one, names in cases.items())
        raise ValueError(
            f"images of {len(cases)} forms: found {listed}, expected one: --form grey or --form rgb converts"
        )
    if form is None:
        return next(iter(cases))
    if form == "rgb" or "grey16" not in cases:
        return form
    highest = max(measured[case].highest for case in cases["grey16"])
    if len(cases) > 1 and highest < FEW_BITS:
        raise ValueError(
            f"--form grey: found 16-bit images without a value above {highest:g} ({shortened(cases['grey16'], 3)}) beside "
            "images of 8 bit, expected values up to 65535: scale them"
        )
    return "grey16"


def propose_settings(
    training: Collection[OwnMeasures], form: str, window: Sequence[float] | None, longest: int | None
) -> dict[str, Any]:
    """Return the training settings of the data list: the user's window, or proposals by the training cases.

    Args:
        training: measures of the training cases.
        form: of the stored images.
        window: the window that the user gave, or None: 0 to 255 with 8 bit, the 0.5 and 99.5 percentiles of all training
            images with 16 bit.
        longest: edge in pixels to which the stored pictures are reduced; None or 0: their own.
    """
    if window is None and form == "grey16":
        low, high = np.percentile(np.concatenate([_in_16_bit(case) for case in training]), (PERCENTS[0], PERCENTS[-1]))
        window = [int(np.floor(low)), max(int(np.ceil(high)), int(np.floor(low)) + 1)]
    each = list(window or (0, 255))
    channels = len(form_channels(form))
    return {
        "window": each if channels == 1 else [each] * channels,
        "image_size_2d": _propose_image_size([case.shared.size for case in training], longest or LARGEST_EDGE),
    }


def _in_16_bit(case: OwnMeasures) -> np.ndarray:
    """Return the sample of a case on the scale of 16 bit; that of 8 bit is converted as `to_form` does."""
    return case.sample if case.form == "grey16" else case.sample * 257


def _propose_image_size(sizes: Sequence[tuple[int, int]], longest: int) -> list[int]:
    """Return the median rows and columns, reduced to at most 512 with the ratio kept, in multiples of 32."""
    median = np.median(sizes, axis=0)
    median = median * min(1.0, min(longest, LARGEST_EDGE) / median.max())
    return np.maximum(np.floor(median / EDGE_STEP + 0.5) * EDGE_STEP, EDGE_STEP).astype(int).tolist()
