"""The form in which a data set stores its images, by its data list: images without labels are stored likewise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from medkd.data import read_volume
from medkd.io import (
    FORMS,
    PICTURES,
    VOLUMES,
    channel_flags,
    describe_conversion,
    image_files,
    open_picture,
    picture_form,
    read_in_form,
    read_stored_picture,
    to_rgb,
    whole_numbers,
)

from . import _picture_images, _volume_images
from ._equal_images import image_digest
from ._survey import spread
from ._volume_images import ONE_CHANNEL

__all__ = [
    "FOLDER",
    "ImageMeasures",
    "PictureForm",
    "StoredForm",
    "StoredImage",
    "VolumeForm",
    "form_of",
    "stored_digest",
]

FOLDER = "imagesUnlabelled"
_OUTER = (0.5, 99.5)  # percentiles
_SAMPLE = 1_000_000  # voxels or pixels, evenly spread, for percentiles


@dataclass(frozen=True)
class ImageMeasures:
    """Measures of an image without a label.

    Attributes:
        shape: slices, rows, columns; or rows, columns of a picture, upright as viewers show it.
        spacing: mm on the same axes; empty for a picture.
        kind: axes of a volume's file; type and bits of a picture's pixels.
        intensities: lowest, the 0.5 and the 99.5 percentile, highest, of all channels, as in the file.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    kind: str
    intensities: tuple[float, float, float, float]


class StoredImage(NamedTuple):
    """What is known of an image when its files are written.

    Attributes:
        entry: ``image`` of its entry in the data list, of a volume also ``spacing`` and ``shape``.
        digest: checksum of what is stored, see `stored_digest`.
        notes: what its files left open, and how they were read.
        measures: for the report.
    """

    entry: dict[str, Any]
    digest: str
    notes: tuple[str, ...]
    measures: ImageMeasures


class StoredForm(Protocol):
    """How a data set stores its images."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of the files that are read."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels that lie in files of their own, `ONE_CHANNEL` where there is one file."""

    def store(self, case: str, files: Sequence[Path], folder: Path) -> StoredImage:
        """Read an image and store it in `FOLDER` of a folder.

        Raises:
            ValueError: for an image that cannot be used, or of another form.
        """


@dataclass(frozen=True)
class VolumeForm:
    """How a data set of volumes stores its images.

    Attributes:
        channels: names of the channels.
        per_case: whether each channel is rescaled by the case's own percentiles; None: whole HU, as of `kits19` and `lits`.
        resample: whether channels on another grid than the first are resampled onto it.
    """

    channels: tuple[str, ...] = ONE_CHANNEL
    per_case: tuple[bool, ...] | None = None
    resample: bool = False

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of the files that are read."""
        return VOLUMES

    def store(self, case: str, files: Sequence[Path], folder: Path) -> StoredImage:
        """Read a volume and store it, see `StoredForm`."""
        volume = _volume_images.read_image(files, self.channels, self.resample)
        if self.per_case is None:
            image = whole_numbers(volume.image, np.int16, "HU of the image")
        else:
            image = _volume_images.stored_intensities(case, volume.image, self.channels, self.per_case)
        entry = _volume_images.store_image(case, image, volume.affine, folder, FOLDER)
        measures = _measure(volume.image, tuple(entry["spacing"]), volume.orientation)
        return StoredImage(entry, image_digest(image), volume.notes, measures)


@dataclass(frozen=True)
class PictureForm:
    """How a data set of pictures stores its images.

    Attributes:
        form: one of `medkd.io.FORMS`; None: any picture as RGB with 8 bit, as the tasks of published pictures do.
        convert: whether pictures of other forms are converted.
        window: intensities that the network tells apart.
        size: longest edge in pixels to which larger pictures are reduced; None: the original size.
    """

    form: str | None = None
    convert: bool = False
    window: Sequence[Any] = ()
    size: int | None = None

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of the files that are read."""
        return PICTURES

    @property
    def channels(self) -> tuple[str, ...]:
        """A picture's channels lie in one file."""
        return ONE_CHANNEL

    def store(self, case: str, files: Sequence[Path], folder: Path) -> StoredImage:
        """Read a picture and store it, see `StoredForm`."""
        file = open_picture(files[0])
        if self.form is None:
            channels = np.moveaxis(np.asarray(to_rgb(file)), -1, 0)
            notes = [f"image: {change}"] if (change := describe_conversion(file)) else []
        else:
            found = picture_form(file)
            if not self.convert and found != self.form:
                raise ValueError(
                    f"{files[0]}: found {FORMS[found]}, expected {FORMS[self.form]} as the data set has: convert it, or "
                    "prepare the data set with --form"
                )
            channels = read_in_form(files[0], self.form, self.convert, self.window)
            notes = _picture_images.describe_reading(file)
        if channels.min() == channels.max():
            raise ValueError(f"{files[0]}: every pixel is {channels.flat[0]}, expected an image")
        image = channels[0] if len(channels) == 1 else np.moveaxis(channels, 0, -1)
        entry = {"image": _picture_images.store_image(case, image, folder, FOLDER, self.size)}
        measures = _measure(channels, (), f"{file.mode} {file.bits} bit")
        return StoredImage(entry, stored_digest(folder, entry), tuple(notes), measures)


def form_of(datalist: Mapping[str, Any], is_picture: bool, resample: bool = False) -> VolumeForm | PictureForm:
    """Return the form in which a data set stores its images.

    Args:
        datalist: content of its ``datalist.json``.
        is_picture: whether it holds pictures.
        resample: see `VolumeForm`.
    """
    if is_picture:
        size = _picture_images.size_of_description(str(datalist.get("description", "")))
        if "form" not in datalist:
            return PictureForm(size=size)
        return PictureForm(datalist["form"], bool(datalist.get("convert")), datalist.get("window", ()), size)
    if "per_case" not in datalist:
        return VolumeForm(resample=resample)
    names = tuple(datalist["modality"].values())
    flags = tuple(channel_flags(datalist["per_case"]))
    return VolumeForm(names if len(names) > 1 else ONE_CHANNEL, flags, resample)


def stored_digest(folder: Path, entry: Mapping[str, Any]) -> str:
    """Return the checksum of the stored image of a case, see `image_digest`.

    Args:
        folder: that the paths of the entry are relative to.
        entry: of the data list.
    """
    paths = [folder / name for name in image_files(entry["image"])]
    if paths[0].suffix == ".b2nd":
        return image_digest(np.stack([read_volume(path)[0] for path in paths]))
    return image_digest(read_stored_picture(paths[0]))


def _measure(image: np.ndarray, spacing: tuple[float, ...], kind: str) -> ImageMeasures:
    """Return the measures of ``(channels, *S)``."""
    low, high = np.percentile(spread(image.ravel(), _SAMPLE), _OUTER).tolist()
    intensities = (float(image.min()), low, high, float(image.max()))
    return ImageMeasures(tuple(image.shape[1:]), spacing, kind, intensities)
