"""Valid images that the mutations start from; small, so that many are read in a second."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

SHAPE = (6, 5, 4)


def voxels() -> np.ndarray:
    return np.random.default_rng(0).integers(-500, 500, SHAPE).astype(np.int16)


def nifti(folder: Path, name: str = "a.nii", array: np.ndarray | None = None) -> None:
    import nibabel as nib

    image = nib.Nifti1Image(voxels() if array is None else array, np.diag([-1.0, -1.5, 2.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nib.save(image, folder / name)


def nifti_gz(folder: Path) -> None:
    nifti(folder)
    (folder / "a.nii.gz").write_bytes(gzip.compress((folder / "a.nii").read_bytes()))
    (folder / "a.nii").unlink()


def nifti_pair(folder: Path) -> None:
    nifti(folder, "image.nii")
    nifti(folder, array=(voxels() > 0).astype(np.uint8))


def _itk(file: Path) -> None:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(voxels())
    image.SetSpacing((1.0, 1.5, 2.0))
    sitk.WriteImage(image, str(file))


def nrrd(folder: Path) -> None:
    _itk(folder / "a.nrrd")


def nhdr(folder: Path) -> None:
    _itk(folder / "a.nhdr")
    for file in folder.glob("a.raw*"):  # the reader looks for a.*
        file.rename(folder / f"b{file.name[1:]}")
    text = (folder / "a.nhdr").read_text()
    (folder / "a.nhdr").write_text(text.replace("a.raw", "b.raw"))


def metaimage(folder: Path) -> None:
    _itk(folder / "a.mha")


def mhd(folder: Path) -> None:
    _itk(folder / "a.mhd")
    for file in folder.glob("a.*raw"):
        file.rename(folder / f"b{file.name[1:]}")
    text = (folder / "a.mhd").read_text()
    (folder / "a.mhd").write_text(text.replace("a.raw", "b.raw").replace("a.zraw", "b.zraw"))


def dicom(folder: Path) -> None:
    from medkd.phantoms.dicom import write_dicom

    write_dicom(folder, voxels(), np.diag([-1.0, -1.5, 2.0, 1.0]))
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(folder / f"{number:03d}.dcm")


def _pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (12, 10, 3)).astype(np.uint8)


def png(folder: Path) -> None:
    from PIL import Image

    colours = Image.fromarray(_pixels())
    colours.save(folder / "a.png")
    for name, picture in {
        "palette": colours.quantize(4),
        "deep": Image.fromarray(_pixels()[..., 0].astype(np.uint16) * 257),
        "grey": Image.fromarray((_pixels()[..., 0] > 99).astype(np.uint8) * 255),
        "alpha": colours.convert("RGBA"),
    }.items():
        picture.save(folder / name, format="PNG")


def jpeg(folder: Path) -> None:
    from PIL import Image

    colours = Image.fromarray(_pixels())
    colours.save(folder / "a.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    colours.save(folder / "exif", format="JPEG", exif=exif)
    colours.convert("CMYK").save(folder / "cmyk", format="JPEG")


def tiff(folder: Path) -> None:
    from PIL import Image

    colours = Image.fromarray(_pixels())
    colours.save(folder / "a.tif", compression="tiff_lzw")
    colours.save(folder / "pages", format="TIFF", save_all=True, append_images=[colours])
    Image.fromarray(_pixels()[..., 0].astype(np.float32)).save(folder / "float", format="TIFF")
    Image.fromarray(_pixels()[..., 0].astype(np.uint16) * 257).save(folder / "deep", format="TIFF")


def bmp(folder: Path) -> None:
    from PIL import Image

    Image.fromarray(_pixels()).save(folder / "a.bmp")


def store(folder: Path) -> None:
    from medkd.data import write_volume

    write_volume(folder / "a.b2nd", voxels(), np.eye(4))
