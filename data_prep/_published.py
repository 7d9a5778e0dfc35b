"""The published split of a data set: the folders that are its parts, and a validation part where it has none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from tqdm import tqdm

from medkd.data import natural_key
from medkd.data.datalist import VALIDATION_SHARE

from ._common import DiscoveredCases, Options, pair_files, run

__all__ = ["Part", "find_parts", "hold_out", "image_counts", "merge", "require_published", "run_parts"]


@dataclass(frozen=True)
class Part:
    """Two folders of a source, the part of the published split that they are, and their number of images there."""

    name: str
    images: Path
    masks: Path
    count: int
    optional: bool = False


def find_parts(
    source: Path,
    parts: Iterable[Part],
    image_suffixes: Sequence[str],
    label_suffixes: Sequence[str],
    keep: Callable[[str], bool] = lambda stem: True,
) -> DiscoveredCases:
    """Pair the files of folders that each are a part of the published split.

    Raises:
        ValueError: for a folder that is missing; an optional part may lack both of its folders.
    """
    several = []
    for part in parts:
        folders = (part.images, part.masks)
        if part.optional and not any(folder.is_dir() for folder in folders):
            continue
        for folder in folders:
            if not folder.is_dir():
                raise ValueError(f"source {source}: no folder {folder.relative_to(source)} in it.")
        found = pair_files(*folders, image_suffixes, label_suffixes, name=str, keep=keep)
        found.published = dict.fromkeys(found.patients, part.name)
        several.append(found)
    return merge(several)


def image_counts(source: Path, found: DiscoveredCases, parts: Iterable[Part]) -> dict[str, int]:
    """Return the number of images with a mask in each folder, and print where it is not the published one."""
    folders = [images.parent for images, _ in found.files.values()]
    counts = {str(part.images.relative_to(source)): folders.count(part.images) for part in parts}
    for part, (name, count) in zip(parts, counts.items(), strict=True):
        if count != part.count:
            tqdm.write(f"{name}: {count} images with a mask, the published data set has {part.count} there")
    return counts


def merge(several: Sequence[DiscoveredCases]) -> DiscoveredCases:
    """Return what several folders hold together; a case that is in two of them is refused."""
    merged = DiscoveredCases()
    for found in several:
        twice = {}
        for case in merged.patients.keys() & found.patients.keys():
            places = [str(one.files[case][0]) if case in one.files else one.refused[case] for one in (merged, found)]
            twice[case] = f"two files stand for this case: {' and '.join(places)}"
        for name in ("files", "patients", "refused", "published"):
            getattr(merged, name).update(getattr(found, name))
        for case, reason in twice.items():
            merged.files.pop(case, None)
            merged.refused[case] = reason
    return merged


def hold_out(found: DiscoveredCases, seed: int) -> None:
    """Move a tenth of the published training patients (at least one) into validation, drawn by ``seed``.

    Refused cases are drawn from too: a file that is repaired later moves no other case.
    """
    training = [case for case, part in found.published.items() if part == "training"]
    names = sorted({found.patients[case] for case in training}, key=natural_key)
    count = max(1, round(VALIDATION_SHARE * len(names)))
    chosen = {names[k] for k in np.random.default_rng(seed).permutation(len(names))[:count]}
    for case in training:
        if found.patients[case] in chosen:
            found.published[case] = "validation"
    found.held_out = f"validation: {count} of {len(names)} training patients, drawn by the seed; not published"


def require_published(source: PathLike, found: DiscoveredCases, split: PathLike, why: str) -> None:
    """Raise ValueError when the published split is asked for and these files have none."""
    if split == "published" and not found.published:
        raise ValueError(
            f"source {source}: no published split for {why}; pass split='random', 'sorted' or a JSON file."
        )


def run_parts(
    source: Path,
    target: PathLike,
    found: DiscoveredCases,
    parts: Sequence[Part],
    convert: Callable[[str, Any, Path], dict[str, Any]],
    options: Options,
    why: str,
    **about: Any,
) -> dict[str, Any]:
    """`_common.run` for a published split without a validation part: one is held out of training.

    Args:
        why: what has no published split, for the message.

    Returns:
        the summary of ``run``, with ``"folders"``: the number of images with a mask in each folder of the split.
    """
    require_published(source, found, options.split, why)
    counts = image_counts(source, found, parts)
    if found.published:
        hold_out(found, options.seed)
    return {**run(source, target, found, convert, options, **about), "folders": counts}
