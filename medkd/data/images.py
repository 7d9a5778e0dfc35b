"""The images that a user hands to inference: finding them, and writing labels in their geometry."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey
from PIL import Image
from torch import Tensor

from .dicom_series import is_dicom_folder
from .files import write_atomically
from .volume_files import NIFTI, VOLUMES

__all__ = ["SaveLabelsd", "case_name", "find_images"]

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


_KITS19 = "imaging.nii.gz"


def case_name(path: str | Path) -> str:
    """A file's name without the suffix of its format: ``case_00000`` of ``case_00000.nii.gz``.

    KiTS19 calls every scan ``imaging.nii.gz``: there it is the name of the folder.
    """
    name = Path(path).name
    if name == _KITS19 and Path(path).absolute().parent.name:
        return Path(path).absolute().parent.name
    suffix = next((s for s in (*VOLUMES, *PICTURES) if name.lower().endswith(s)), "")
    return name.removesuffix(name[len(name) - len(suffix) :]) if suffix else name


def find_images(
    source: str | Path, suffixes: tuple[str, ...], output_dir: str | Path, series: bool = False
) -> list[dict[str, str]]:
    """``[{"image": path, "case": name}]`` of one file, or of all files in a folder with one of the suffixes, by name.

    A folder of KiTS19 cases (``case_00000/imaging.nii.gz``) is read too; with ``series`` a folder with the slices of a
    DICOM series is an image, and so is each such sub-folder.

    Raises:
        FileNotFoundError: when the source is missing, or a folder without such files.
        FileExistsError: when a prediction of one of the cases is there already.
        ValueError: for a file with another suffix, two files of one case, or an output folder that is the input's.
    """
    source = Path(source)
    if not source.exists():
        raise FileNotFoundError(f"input {source}: no such file or folder")
    folder = source.parent if source.is_file() else source
    files = _files(source, suffixes, series)
    if Path(output_dir).resolve() == folder.resolve():
        raise ValueError(f"output_dir {output_dir} is the folder of the input: predictions would overwrite the images")
    items = [{"image": str(file), "case": case_name(file)} for file in files]
    seen: dict[str, str] = {}
    for item in items:
        if done := [f for f in (Path(output_dir) / f"{item['case']}{s}" for s in (".nii.gz", ".png")) if f.exists()]:
            raise FileExistsError(f"output_dir {output_dir}: {done[0].name} is there already: choose another folder")
        other = seen.setdefault(item["case"], item["image"])
        if other != item["image"]:
            raise ValueError(f"input {source}: {other} and {item['image']} would give the same prediction file")
    return items


def _files(source: Path, suffixes: tuple[str, ...], series: bool) -> list[Path]:
    if source.is_file():
        if source.name.lower().endswith(suffixes):
            return [source]
        folder = " or a folder with a DICOM series" if series else ""
        raise ValueError(f"input {source}: suffix not known here, expected one of {', '.join(suffixes)}{folder}")
    files = [f for f in source.iterdir() if f.name.lower().endswith(suffixes) and not f.name.startswith(".")]
    if series:
        files += [source] if is_dicom_folder(source) else filter(is_dicom_folder, source.iterdir())
    if not files and _KITS19.endswith(suffixes):
        files = list(source.glob(f"*/{_KITS19}"))
    if not files:
        searched = "no DICOM series in it or in its folders" if series else "its folders are not searched"
        raise FileNotFoundError(f"input {source}: no file that ends in {', '.join(suffixes)} ({searched})")
    return sorted(files)


class SaveLabelsd(MapTransform):
    """Writes labels (1, *spatial) beside nothing else: ``<output_dir>/<case><postfix>.nii.gz``, or ``.png`` for pictures.

    NIfTI gets the header of its source image, so shape, affine, qform, sform and units are the input's, bit for bit.
    A picture gets the input's size and 0 to 255: class k of K classes is written as k * 255 / (K - 1).

    Args:
        keys: labels (uint8) or probabilities (float32, one channel a class), MetaTensors that know their file.
        output_dir: is made when the first file is written.
        num_classes: K, for the grey values of pictures.
        postfix: put behind the case's name, "_prob" for example.
    """

    def __init__(self, keys: KeysCollection, output_dir: str | Path, num_classes: int = 2, postfix: str = "") -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.num_classes = num_classes
        self.postfix = postfix

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            source = str(data[key].meta[ImageMetaKey.FILENAME_OR_OBJ])
            stem = f"{data['case']}{self.postfix}"
            if source.lower().endswith(PICTURES):
                self._picture(data[key].as_tensor(), self.output_dir / f"{stem}.png")
            else:
                _volume(data[key].as_tensor(), self.output_dir / f"{stem}.nii.gz", data[key].affine, source)
        return dict(data)

    def _picture(self, labels: Tensor, path: Path) -> None:
        scale = 255 if labels.is_floating_point() else 255 / (self.num_classes - 1)
        # probabilities of several classes: the foreground's sum
        picture = (labels.sum(dim=0) * scale).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
        write_atomically(path, lambda temporary: Image.fromarray(picture).save(temporary))


def _volume(labels: Tensor, path: Path, affine: Tensor, source: str) -> None:
    # one channel is a plain volume; several become the fourth axis, as NIfTI has it
    array = labels[0] if labels.shape[0] == 1 else labels.movedim(0, -1)
    array = np.ascontiguousarray(array.cpu().numpy())
    if source.lower().endswith(NIFTI):
        original = nib.load(source)
        header = original.header.copy()
        header.set_data_dtype(array.dtype)
        header.set_slope_inter(1, 0)
        header["cal_max"] = header["cal_min"] = 0  # the display window was the image's
        if array.size == np.prod(original.shape):
            array = array.reshape(original.shape)  # a fourth axis of length 1
        image = type(original)(array, None, header)
    else:
        image = nib.Nifti1Image(array, affine.cpu().numpy())
    write_atomically(path, lambda temporary: nib.save(image, temporary))
