"""Writing predicted labels and probabilities in the geometry of their image, and reading labels back."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from medkd.runs.case_names import check_case_name
from medkd.runs.files import write_atomically

from .inputs import PICTURES
from .label_format import LabelFormat
from .nifti_files import read_nifti_header
from .volume_files import NIFTI, read_nifti

__all__ = ["read_prediction", "write_prediction"]


def write_prediction(
    array: np.ndarray,
    folder: Path,
    name: str,
    source: str,
    affine: np.ndarray | None = None,
    num_classes: int = 2,
    label_format: LabelFormat | None = None,
) -> Path:
    """Write ``<folder>/<name>.nii.gz``, or ``.png`` for pictures, and return its path.

    Labels of volumes may have another format; probabilities are NIfTI.

    NIfTI gets the header of its source image: shape, affine, qform, sform and units are the input's, bit for bit. A
    picture gets the input's size, upright as viewers show it: 0 and 255 of one class, the numbers of several classes.

    Args:
        array: ``(C, *spatial)`` on the grid of the source: labels (uint8, C = 1), or probabilities (float32, one channel
            per class; a picture shows their sum).
        folder: output folder, created if missing.
        name: file name without suffix.
        source: the file, or DICOM folder, that the image was read from.
        affine: ``(4, 4)``, voxel indices to mm in RAS+; a NIfTI of a NIfTI source does not need it.
        num_classes: K, background included, for the values of pictures.
        label_format: of labels of volumes; None: NIfTI without the names of the classes.
    """
    if source.lower().endswith(PICTURES):
        path = folder / f"{name}.png"
        picture = _picture(array, num_classes)
        write_atomically(path, lambda temporary: Image.fromarray(picture).save(temporary))
        return path
    image = _volume(array, source, affine)
    if label_format is None or array.dtype.kind == "f":
        path = folder / f"{name}.nii.gz"
        write_atomically(path, lambda temporary: nib.save(image, temporary))
        return path
    path = folder / f"{name}{label_format.suffix}"
    write_atomically(path, lambda temporary: label_format.write(image, temporary, source, affine))
    return path


def read_prediction(folder: Path, case: str, num_classes: int) -> np.ndarray | None:
    """Return the labels ``(*spatial)`` that `write_prediction` wrote for a case; None if there is no such file.

    Args:
        folder: of the predictions.
        case: name of the case.
        num_classes: K, as for `write_prediction`.
    """
    case = check_case_name(case)
    volume, picture = folder / f"{case}.nii.gz", folder / f"{case}.png"
    if volume.is_file():
        return np.asarray(read_nifti(volume)[0])
    if not picture.is_file():
        return None
    values = np.asarray(Image.open(picture))
    return values if num_classes > 2 else (values > 127).astype(np.uint8)


def _picture(array: np.ndarray, num_classes: int) -> np.ndarray:
    scale = 1 if array.dtype.kind != "f" and num_classes > 2 else 255
    summed = array.sum(axis=0, dtype=np.float32)
    return np.clip(np.rint(summed * np.float32(scale)), 0, 255).astype(np.uint8)


def _volume(array: np.ndarray, source: str, affine: np.ndarray | None) -> nib.Nifti1Image:
    # One channel is a plain volume; NIfTI has several channels on the fourth axis.
    array = np.asfortranarray(array[0] if len(array) == 1 else np.moveaxis(array, 0, -1))  # the order of the file
    if not source.lower().endswith(NIFTI):
        return nib.Nifti1Image(array, affine)
    header = read_nifti_header(Path(source))
    shape = header.get_data_shape()
    header.set_data_dtype(array.dtype)
    header.set_slope_inter(1, 0)
    header["cal_max"] = header["cal_min"] = 0  # the display window of the image, not of labels
    if array.size == np.prod(shape):
        array = array.reshape(shape)  # a fourth axis of length 1
    image_class = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    return image_class(array, None, header)
