"""Writing an array as a DICOM series, one file per slice, for tests and examples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from medkd.io.dicom_series import LPS_TO_RAS, kept_locale

__all__ = ["write_dicom"]


@kept_locale()
def write_dicom(
    folder: Path,
    array: np.ndarray,
    affine: np.ndarray,
    rescale: tuple[float, float] = (1.0, -1024.0),
    description: str = "phantom",
    prefix: str = "slice",
    tags: Mapping[str, str] | None = None,
) -> None:
    r"""Write a volume as a DICOM series. Stored values are (HU - intercept) / slope.

    Args:
        folder: output folder, created where missing. Files of earlier calls stay.
        array: HU, (columns, rows, slices).
        affine: voxel indices to mm, RAS+.
        rescale: slope and intercept.
        description: series description. Another description makes another series.
        prefix: prefix of the file names.
        tags: further elements of every slice, such as ``{"0008|0008": "ORIGINAL\\PRIMARY"}``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lps = LPS_TO_RAS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    axes = lps[:3, :2] / spacing[:2]
    shared = {
        "0008|0020": "20260102",  # of the study; GDCM's default is today
        "0008|0030": "030405",
        "0008|0060": "CT",
        "0008|103e": description,
        "0020|000d": "1.2.826.0.1.1",
        "0020|000e": f"1.2.826.0.1.1.{sum(description.encode())}",
        "0010|0010": "Phantom^Anna",
        "0010|0020": "P-1",
        "0018|0050": f"{spacing[2]:.9g}",
        "0020|0010": "1",
        "0020|0011": "3",
        "0020|0052": "1.2.826.0.1.1.1",  # frame of reference
        "0020|0037": "\\".join(f"{x:.9g}" for x in axes.T.ravel()),
        "0028|0100": "16",
        "0028|0101": "16",
        "0028|0102": "15",
        "0028|0103": "1",
        "0028|1052": f"{rescale[1]:g}",
        "0028|1053": f"{rescale[0]:g}",
    }
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number in range(array.shape[2]):
        image = sitk.GetImageFromArray(np.ascontiguousarray(array[:, :, number].T, dtype=np.float64))
        image.SetSpacing(spacing[:2].tolist())
        position = lps @ [0, 0, number, 1]
        slice_tags = {
            "0008|0018": f"1.2.826.0.1.1.{sum(description.encode())}.{sum(prefix.encode())}.{number + 1}",
            "0020|0032": "\\".join(f"{x:.9g}" for x in position[:3]),
            "0020|0013": str(number + 1),
        }
        for tag, value in {**shared, **slice_tags, **(tags or {})}.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{prefix}_{number:03}.dcm"))
        writer.Execute(image)
