"""The report on a data set of pictures: sizes, kinds of files, share of the foreground, odd cases."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medkd.io import UPRIGHT, Mask, PictureFile, describe_conversion
from medkd.runs.errors import counted

from ._report import write_rows

__all__ = [
    "PictureMeasures",
    "count_remarks",
    "measure_pair",
    "odd_pictures",
    "picture_guesses",
    "range_of_shares",
    "range_of_sizes",
    "write_picture_report",
]

INVERTED = 0.75  # share of the picture's border, from which a mask looks inverted
SMALL, FEW = 20, 10  # times smaller than the median share; pixels
OTHER_SIZE = 4  # times longer or shorter than the median edge
LEGEND = (
    "size: rows x columns, upright; image, mask: type and bits of the pixels in the file, colour of the foreground; "
    "%: share of the mask's pixels; soft %: share of the mask's pixels between both ends"
)


@dataclass(frozen=True)
class PictureMeasures:
    """Measures of one case, as in its files.

    Attributes:
        size: rows and columns.
        image: type and bits of the image's pixels.
        mask: type and bits of the mask's pixels, and the colour of the foreground where it is no grey.
        pixels: number of foreground pixels.
        border: share of foreground in the picture's outermost pixels, from 0 to 1.
        soft: share of mask pixels between both ends, from 0 to 1.
        remarks: what reading changed or guessed.
    """

    size: tuple[int, int]
    image: str
    mask: str
    pixels: int
    border: float = 0.0
    soft: float = 0.0
    remarks: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Share of foreground pixels, from 0 to 1."""
        return self.pixels / (self.size[0] * self.size[1])

    @property
    def looks_inverted(self) -> bool:
        """Whether the foreground surrounds the rest of the picture."""
        return self.border > INVERTED and self.share < 1


def measure_pair(label: np.ndarray, image: PictureFile, mask: Mask, is_turned: bool) -> PictureMeasures:
    """Return the measures of a case.

    Args:
        label: ``(H, W)``, the mask on the image's grid.
        image: file of the image.
        mask: the mask as it was read.
        is_turned: whether the mask was turned by the EXIF orientation of its image.
    """
    remarks = [f"image: {change}" if (change := describe_conversion(image)) else ""]
    if is_turned:
        remarks.append("mask: turned as the EXIF of its image says, for it has the size of the picture before that")
    if mask.file.orientation != UPRIGHT:
        remarks.append("mask: turned upright by its EXIF")
    if mask.file.remark:
        remarks.append(f"mask: {mask.file.remark}")
    return PictureMeasures(
        size=(label.shape[0], label.shape[1]),
        image=f"{image.mode} {image.bits} bit",
        mask=f"{mask.file.mode} {mask.file.bits} bit" + (f" {mask.colour}" if len(set(mask.colour)) > 1 else ""),
        pixels=int(np.count_nonzero(label)),
        border=float(np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]]).astype(bool).mean()),
        soft=mask.soft,
        remarks=tuple(filter(None, remarks)),
    )


def write_picture_report(
    folder: Path,
    listed: Mapping[str, Sequence[Mapping[str, Any]]],
    measured: Mapping[str, PictureMeasures],
    foreground: str,
    refused: Mapping[str, str],
    notes: Sequence[str] = (),
) -> None:
    """Write ``report.md``, ``report.json`` and ``report.png``; warn of masks that were cut at a threshold or look inverted.

    Args:
        folder: folder of the data set.
        listed: split -> entries of the data list.
        measured: case -> measures.
        foreground: name of the class.
        refused: case -> reason, of the cases that were left out.
        notes: further lines on the data set as a whole.
    """
    splits = {entry["case"]: split for split, entries in listed.items() for entry in entries}
    cases = {case: measured[case] for case in splits}
    guesses = picture_guesses(cases, foreground)
    for sentence in guesses:
        warnings.warn(sentence, stacklevel=4)
    notes = [range_of_shares(cases, foreground), range_of_sizes(cases), *guesses, *count_remarks(cases), *notes]
    rows = {case: _row(measures, splits[case], foreground) for case, measures in cases.items()}
    write_rows(folder, listed, rows, odd_pictures(cases, foreground), [foreground], {}, notes, refused, LEGEND)


def odd_pictures(cases: Mapping[str, PictureMeasures], foreground: str) -> dict[str, list[str]]:
    """Return case -> how it differs from the others: an empty mask, much or little foreground, another size."""
    share = float(np.median([case.share for case in cases.values() if case.pixels] or [0.0]))
    edge = float(np.median([max(case.size) for case in cases.values()]))
    odd: dict[str, list[str]] = {}
    for name, case in cases.items():
        reasons = []
        if not case.pixels:
            reasons.append(f"no {foreground}")
        elif case.share == 1:
            reasons.append(f"the whole picture is {foreground}")
        elif case.looks_inverted:
            reasons.append(f"{foreground} surrounds the rest, {case.share:.0%} of the picture: is the mask inverted?")
        elif case.share > SMALL * share:
            reasons.append(f"much {foreground}: {case.share:.1%} of the picture (median {share:.2%})")
        elif case.pixels < FEW or case.share * SMALL < share:
            reasons.append(
                f"little {foreground}: {counted(case.pixels, 'pixel')}, {case.share:.2g} (median {share:.2%})"
            )
        if not edge / OTHER_SIZE < max(case.size) < edge * OTHER_SIZE:
            reasons.append(f"size {case.size[0]} x {case.size[1]}, the others' median longest edge is {edge:g}")
        if reasons:
            odd[name] = reasons
    return odd


def picture_guesses(cases: Mapping[str, PictureMeasures], foreground: str) -> list[str]:
    """Return sentences on what a user should look at: lossy masks, masks that look inverted."""
    sentences = []
    soft = [case.soft for case in cases.values() if case.soft]
    if soft:
        sentences.append(
            f"{len(soft)} of {len(cases)} masks hold values between both ends at their edges, as lossy formats and smooth "
            f"drawings do (at most {max(soft):.2%} of the pixels of a mask): cut at 127"
        )
    inverted = sum(case.looks_inverted for case in cases.values())
    if inverted * 2 > len(cases):
        sentences.append(f"in {inverted} of {len(cases)} masks {foreground} surrounds the rest: are they inverted?")
    return sentences


def range_of_shares(cases: Mapping[str, PictureMeasures], foreground: str) -> str:
    """Return a sentence on how much of the pictures a class takes."""
    shares = [case.share for case in cases.values()]
    empty = sum(not case.pixels for case in cases.values())
    low, middle, high = np.percentile(shares, (0, 50, 100))
    none = f"in {empty} of {len(cases)} masks none"
    return f"{foreground}: {low:.2%} to {high:.2%} of the picture, median {middle:.2%}; {none}"


def range_of_sizes(cases: Mapping[str, PictureMeasures]) -> str:
    """Return a sentence on the sizes of the pictures."""
    sizes = Counter(case.size for case in cases.values())
    (rows, columns), count = sizes.most_common(1)[0]
    return f"sizes: {len(sizes)}, the most common is {rows} x {columns} (rows x columns) of {counted(count, 'picture')}"


def count_remarks(cases: Mapping[str, PictureMeasures]) -> list[str]:
    """Return what reading changed or guessed, each with the number of cases."""
    counts = Counter(remark for case in cases.values() for remark in case.remarks)
    return [f"{count} of {len(cases)}: {remark}" for remark, count in counts.most_common()]


def _row(case: PictureMeasures, split: str, foreground: str) -> dict[str, Any]:
    """Return the measures of a case as report.json has them; the split's key there is ``part``."""
    return {
        "part": split,
        "size": list(case.size),
        "image": case.image,
        "mask": case.mask,
        f"{foreground} %": float(f"{100 * case.share:.4g}"),
        "soft %": float(f"{100 * case.soft:.4g}"),
    }
