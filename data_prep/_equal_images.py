"""Equal images under two names: one patient where splits are drawn, a leak where a file puts them into two splits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from medkd.data import SPLITS, natural_key

__all__ = ["describe_groups", "equal_images", "find_leaks", "image_digest", "merge_patients"]


def image_digest(image: np.ndarray) -> str:
    """Return a checksum of decoded pixels or voxels, the same for equal images in files of two formats.

    Args:
        image: any array. An image of one value shows nothing, so it has an empty checksum, which equals no other.
    """
    if image.size == 0 or image.min() == image.max():
        return ""
    digest = hashlib.sha256(repr((image.dtype.str, image.shape)).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def equal_images(digests: Mapping[str, str]) -> list[list[str]]:
    """Return the groups of cases, two or more each, that have one image.

    Args:
        digests: case -> checksum of its image.

    Example:
        >>> equal_images({"a": "1f", "b": "2e", "c": "1f", "d": "", "e": ""})
        [['a', 'c']]
    """
    by_digest: dict[str, list[str]] = {}
    for case in sorted(digests, key=natural_key):
        by_digest.setdefault(digests[case], []).append(case)
    return [cases for digest, cases in by_digest.items() if digest and len(cases) > 1]


def merge_patients(groups: Sequence[Sequence[str]], patients: Mapping[str, str]) -> dict[str, str]:
    """Return case -> patient of the cases whose patient is another one too, because the two share an image.

    Args:
        groups: of `equal_images`.
        patients: case -> patient.

    Example:
        >>> merge_patients([["a", "c"]], {"a": "A", "b": "A", "c": "C", "d": "D"})
        {'c': 'A'}
    """
    merged = {patient: patient for patient in patients.values()}
    for group in groups:
        names = {merged[patients[case]] for case in group}
        first = min(names, key=natural_key)
        merged = {patient: first if name in names else name for patient, name in merged.items()}
    return {case: merged[patient] for case, patient in patients.items() if merged[patient] != patient}


def find_leaks(groups: Sequence[Sequence[str]], splits: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return case -> reason, of the cases whose image is in another split too.

    What is measured on stays as it is: of an image in test and in training, the case of training is named.

    Args:
        groups: of `equal_images`.
        splits: case names of each split.
    """
    split_of = {case: split for split, cases in splits.items() for case in cases}
    leaks = {}
    for group in groups:
        kept = max(group, key=lambda case: SPLITS.index(split_of[case]))
        for case in group:
            if split_of[case] != split_of[kept]:
                leaks[case] = (
                    f"its image, of {split_of[case]}, is the same as that of {kept}, of {split_of[kept]}: a score on the one "
                    "would be helped by the other; put both into one split, or keep one"
                )
    return leaks


def describe_groups(groups: Sequence[Sequence[str]], most: int = 20) -> list[str]:
    """Return a sentence on the groups of `equal_images`; none without groups.

    Example:
        >>> describe_groups([["a", "c"], ["d", "e"]])
        ['the same image under several names: a, c; d, e']
    """
    if not groups:
        return []
    listed = "; ".join(", ".join(group) for group in groups[:most])
    more = f"; and {len(groups) - most} more" if len(groups) > most else ""
    return [f"the same image under several names: {listed}{more}"]
