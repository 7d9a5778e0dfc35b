"""Folders of a published split: one for the images and one for the masks of each split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from medkd.runs.errors import counted

from ._cases import DiscoveredCases, merge_cases
from ._pairing import pair_files

__all__ = ["SplitFolder", "discover_split_folders", "image_counts", "unnested"]


@dataclass(frozen=True)
class SplitFolder:
    """Two folders of a source that hold one split of the published split, or a share of it.

    Attributes:
        split: name of the split.
        images: folder of images.
        masks: folder of masks.
        count: number of images in the published data set.
        optional: both folders may be missing.
    """

    split: str
    images: Path
    masks: Path
    count: int
    optional: bool = False


def unnested(folder: Path) -> Path:
    """Return the folder, or the one of the same name in it, as some programs unpack an archive."""
    inner = folder / folder.name
    return inner if inner.is_dir() else folder


def discover_split_folders(
    source: Path,
    folders: Iterable[SplitFolder],
    image_suffixes: Sequence[str],
    label_suffixes: Sequence[str],
    keep: Callable[[str], bool] = lambda stem: True,
) -> DiscoveredCases:
    """Pair the files of the folders of the published split.

    Raises:
        ValueError: for a folder that is missing; an optional one may lack both of its folders.
    """
    discovered = []
    for folder in folders:
        pair = (folder.images, folder.masks)
        if folder.optional and not any(path.is_dir() for path in pair):
            continue
        for path in pair:
            if not path.is_dir():
                raise ValueError(f"--source {source}: no folder {path.relative_to(source)} in it")
        cases = pair_files(*pair, image_suffixes, label_suffixes, keep=keep)
        cases.published = dict.fromkeys(cases.patients, folder.split)
        discovered.append(cases)
    return merge_cases(discovered)


def image_counts(source: Path, cases: DiscoveredCases, folders: Iterable[SplitFolder]) -> dict[str, int]:
    """Return the number of images with a mask in each folder; print where it differs from the published number."""
    parents = [files.images[0].parent for files in cases.files.values()]
    counts = {}
    for folder in folders:
        name, count = str(folder.images.relative_to(source)), parents.count(folder.images)
        counts[name] = count
        if count != folder.count:
            tqdm.write(
                f"{name}: {counted(count, 'image')} with a mask, the published data set has {folder.count} there"
            )
    return counts
