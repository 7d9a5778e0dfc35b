"""Where a user's own volumes come from: a folder of images and one of label maps, or a source that describes itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from medkd.io import VOLUMES
from medkd.io.paths import PathLike
from medkd.runs.errors import UsageError

from ._cases import DiscoveredCases, require_source
from ._classes import split_names
from ._described_source import DescribedSource, discover_source
from ._other_files import other_files
from ._refusals import shortened
from ._target import check_target
from ._volume_images import ONE_CHANNEL
from ._volume_pairing import pair_volumes

__all__ = ["agreed_classes", "find_own_source", "images_alone"]


def find_own_source(
    images: PathLike | None,
    labels: PathLike | None,
    source: PathLike | None,
    channels: str | Sequence[str] | None,
    target: Path,
    overwrite: bool,
) -> DescribedSource:
    """Return the cases of two folders, or of a source with a ``dataset.json``; see `medkd.data_prep.nifti.prepare`.

    Returns:
        The source, with the names of its channels, or else those that the user gives, or else `ONE_CHANNEL`.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: other options than two folders or a source, a target that must not be written, names of channels that
            are empty, equal or not those of the source.
    """
    names = _channel_names("--channels", split_names(channels)) if channels is not None else ()
    missing = [name for name, path in (("--images", images), ("--labels", labels)) if path is None]
    if source is not None:
        if len(missing) < 2:
            raise UsageError("found --source beside --images or --labels, expected --source alone or the two folders")
        described = discover_source(Path(source), names)
        check_target(described.path.parent, target, overwrite)
        _check_agreement(described, "channels", names, described.channels)
        described.channels = _channel_names(str(described.path), described.channels) or names or ONE_CHANNEL
        return described
    if images is None or labels is None:
        other = ", or --source DIR for a folder of nnU-Net or of the Decathlon" if missing[1:] else ""
        raise UsageError(f"medkd prepare nifti needs {' and '.join(missing)}{other}")
    folders = require_source(images, "images"), require_source(labels, "labels")
    for folder in folders:
        check_target(folder, target, overwrite)
    cases = pair_volumes(*folders, names)
    if not cases.files and not cases.refused:
        found = [f"{path.name} ({content})" for path, content in other_files(folders[0], VOLUMES).items()]
        what = shortened(found, 3) or "label maps alone"
        raise ValueError(f"--images {images}: found {what}, expected volumes ({', '.join(VOLUMES)})")
    return DescribedSource(folders[0], cases, channels=names or ONE_CHANNEL)


def images_alone(
    images: PathLike | None, labels: PathLike | None, source: PathLike | None, channels: str | Sequence[str] | None
) -> DescribedSource:
    """Return a source of images without labels, whose cases are not read yet.

    Raises:
        ValueError: for labels or a source beside the images, or no images.
    """
    if images is None or labels is not None or source is not None:
        found = [name for name, path in (("--labels", labels), ("--source", source)) if path is not None]
        raise UsageError(
            f"--unlabelled_only True: found {' and '.join(found) or 'no --images'}, expected --images alone"
        )
    names = _channel_names("--channels", split_names(channels)) if channels is not None else ()
    return DescribedSource(Path(images), DiscoveredCases(), channels=names or ONE_CHANNEL)


def _channel_names(place: str, names: Sequence[str]) -> tuple[str, ...]:
    if len({name.lower() for name in names}) < len(names) or not all(names):
        raise ValueError(f"{place}: found {', '.join(names)}, expected names that differ, none of them empty")
    if wrong := next((name for name in names if name.startswith(("$", "@", "%")) or set(name) & set("/\\")), None):
        raise ValueError(
            f"{place}: found {wrong!r}, expected a name without slashes that does not begin with $, @ or %"
        )
    return tuple(names)


def agreed_classes(
    described: DescribedSource, classes: str | Sequence[str] | None
) -> str | Sequence[str] | Mapping[int, str] | None:
    """Return the classes of the source by value; those of the user where it names none.

    Raises:
        ValueError: the user names others.
    """
    if classes is not None:
        _check_agreement(described, "classes", split_names(classes), list(described.classes.values()))
    return described.classes or classes


def _check_agreement(described: DescribedSource, option: str, names: Sequence[str], others: Sequence[str]) -> None:
    if names and others and list(names) != list(others):
        raise ValueError(
            f"--{option}: found {', '.join(names)}, expected {', '.join(others)} as in {described.path}, or no --{option}"
        )
