"""The formats of `medkd.io` for MONAI's `LoadImage`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from monai.config import PathLike

from medkd.io import VOLUMES, is_dicom_folder, read_volume_file

from .volume_store import VolumeStoreReader

__all__ = ["VolumeFileReader"]


class VolumeFileReader(VolumeStoreReader):
    """MONAI reader of one volume in any format of `read_volume_file`, for ``LoadImage(reader=VolumeFileReader())``."""

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        names = [filename] if isinstance(filename, str | os.PathLike) else list(filename)
        return all(str(name).lower().endswith(VOLUMES) or is_dicom_folder(Path(name)) for name in names)

    def volume(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        return read_volume_file(path)
