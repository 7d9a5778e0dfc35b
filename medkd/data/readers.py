"""MONAI readers of volume stores, of pictures and of the volume formats of `medkd.io`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.data.image_reader import ImageReader, PILReader, _copy_compatible_dict, _stack_images
from monai.data.utils import is_supported_format
from monai.utils import MetaKeys, SpaceKeys
from PIL import Image

from medkd.io import VOLUMES, is_dicom_folder, open_picture, read_channel_files, read_in_form, to_rgb
from medkd.io.paths import PathLike

from .volume_store import SUFFIX, read_volume

__all__ = ["PictureReader", "VolumeFileReader", "VolumeStoreReader"]


class VolumeStoreReader(ImageReader):
    """MONAI reader of volume stores, for ``LoadImage(reader=VolumeStoreReader())``.

    The array keeps its axes ``(S, H, W)`` and has no channel axis; several files are stacked as channels. Files are read in
    `get_data`: after an error in `read` MONAI would try its other readers, which might accept what was refused here.
    """

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Return whether all files are volume stores."""
        return is_supported_format(filename, [SUFFIX.lstrip(".")])

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> list[Path]:
        """Return the paths; nothing is read yet."""
        return [Path(data)] if isinstance(data, str | os.PathLike) else [Path(name) for name in data]

    def volumes(self, paths: list[Path]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the array and the affine of each channel."""
        return [read_volume(path) for path in paths]

    def get_data(self, img: list[Path]) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the array and the meta data of all files."""
        arrays: list[np.ndarray] = []
        shared: dict[str, Any] = {}
        for array, affine in self.volumes(img):
            header = {
                MetaKeys.AFFINE: affine,
                MetaKeys.ORIGINAL_AFFINE: affine.copy(),
                MetaKeys.SPACE: SpaceKeys.RAS,
                MetaKeys.SPATIAL_SHAPE: np.asarray(array.shape),
                MetaKeys.ORIGINAL_CHANNEL_DIM: "no_channel",
            }
            _copy_compatible_dict(header, shared)
            arrays.append(array)
        return _stack_images(arrays, shared), shared


class VolumeFileReader(VolumeStoreReader):
    """MONAI reader of volumes in any format of `read_channel_files`, for ``LoadImage(reader=VolumeFileReader())``.

    The array of several channels has them on its last axis, as MONAI's own readers return 4-D files.

    Args:
        channels: names of the channels. Of several, an image is a file for each channel, or one 4-D file.
        resample: whether channels on another grid than the first are resampled onto it; else they are refused.
    """

    def __init__(self, channels: Sequence[str] = ("image",), resample: bool = False) -> None:
        super().__init__()
        self.channels, self.resample = list(channels), resample

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Return whether all files are NIfTI, NRRD, MetaImage or DICOM folders."""
        names = [filename] if isinstance(filename, str | os.PathLike) else list(filename)
        return all(str(name).lower().endswith(VOLUMES) or is_dicom_folder(Path(name)) for name in names)

    def volumes(self, paths: list[Path]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the array and the affine of each channel of an image, all on the grid of the first."""
        image, affine, _ = read_channel_files(paths, self.channels, self.resample)
        return [(channel, affine) for channel in image]

    def get_data(self, img: list[Path]) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the array ``(S, H, W)`` or ``(S, H, W, C)`` and the meta data of all files."""
        array, header = super().get_data(img)
        if array.ndim == 3:
            return array, header
        return np.moveaxis(array, 0, -1), {**header, MetaKeys.ORIGINAL_CHANNEL_DIM: -1}


class PictureReader(PILReader):
    """MONAI reader of pictures for ``LoadImage(reader=PictureReader())``.

    The array has the axes columns, rows, and colours last. Files are read in `get_data`, see `VolumeStoreReader`.

    Args:
        form: one of `medkd.io.FORMS`, see `medkd.io.read_in_form`; None: any picture as RGB with 8 bit, see `read_picture`.
        convert: whether pictures of other forms are converted; else they are refused.
        window: of the network, see `medkd.io.read_in_form`.
        reverse_indexing: False for rows before columns.
    """

    def __init__(
        self,
        form: str | None = None,
        convert: bool = False,
        window: Sequence[float] | Sequence[Sequence[float]] = (),
        reverse_indexing: bool = True,
    ) -> None:
        super().__init__(reverse_indexing=reverse_indexing)
        self.form, self.convert, self.window = form, convert, window

    def read(self, data: Sequence[PathLike] | PathLike | np.ndarray, **kwargs: Any) -> list[Path]:
        """Return the paths; nothing is read yet."""
        return [Path(data)] if isinstance(data, str | os.PathLike) else [Path(name) for name in data]

    def get_data(self, img: list[Path]) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the array and the meta data of all files."""
        return super().get_data([self._picture(path) for path in img])

    def _picture(self, path: Path) -> Image.Image:
        if self.form is None:
            return to_rgb(open_picture(path))
        channels = read_in_form(path, self.form, self.convert, self.window)
        return Image.fromarray(channels[0] if len(channels) == 1 else np.moveaxis(channels, 0, -1))
