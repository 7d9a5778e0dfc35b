"""The input of inference: the image files of a folder and the names of their cases."""

from __future__ import annotations

from pathlib import Path

from medkd.runs.case_names import check_case_name

from .dicom_files import is_dicom_folder
from .volume_files import VOLUMES

__all__ = ["PICTURES", "case_name", "find_images"]

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_KITS19 = "imaging.nii.gz"


def case_name(path: str | Path) -> str:
    """Return the name of the case in a file: the file's name without the suffix of its format.

    KiTS19 calls every scan ``imaging.nii.gz``; there the case has the name of the folder.

    Example:
        >>> case_name("scans/case_00000.nii.gz"), case_name("case_00001/imaging.nii.gz")
        ('case_00000', 'case_00001')
    """
    name = Path(path).name
    if name == _KITS19 and Path(path).absolute().parent.name:
        return Path(path).absolute().parent.name
    suffix = next((s for s in (*VOLUMES, *PICTURES) if name.lower().endswith(s)), "")
    return name.removesuffix(name[len(name) - len(suffix) :]) if suffix else name


def find_images(
    source: str | Path, suffixes: tuple[str, ...], output_dir: str | Path, series: bool = False
) -> list[dict[str, str]]:
    """Find the images of a file or folder, in order of their names.

    Args:
        source: one file, a folder of files, or a folder of KiTS19 cases (``case_00000/imaging.nii.gz``).
        suffixes: suffixes of images, in lower case.
        output_dir: folder of the predictions.
        series: whether a folder with the slices of a DICOM series, and each such sub-folder, is an image.

    Returns:
        ``[{"image": path, "case": name}]``.

    Raises:
        FileNotFoundError: when the source is missing, or a folder without such files.
        FileExistsError: when a prediction of one of the cases exists, or the output folder is a file.
        ValueError: for a file with another suffix, a name that cannot be that of a prediction, two files of one case, or an
            output folder that is the input's.
    """
    source = Path(source)
    if not source.exists():
        raise FileNotFoundError(f"input {source}: no such file or folder")
    folder = source.parent if source.is_file() else source
    files = _files(source, suffixes, series)
    if Path(output_dir).is_file():
        raise FileExistsError(f"output_dir {output_dir}: is a file, expected a folder")
    if Path(output_dir).resolve() == folder.resolve():
        raise ValueError(f"output_dir {output_dir} is the folder of the input: predictions would overwrite the images")
    items = [{"image": str(file), "case": check_case_name(case_name(file))} for file in files]
    images: dict[str, str] = {}
    for item in items:
        outputs = (Path(output_dir) / f"{item['case']}{suffix}" for suffix in (".nii.gz", ".png"))
        if existing := next((path for path in outputs if path.exists()), None):
            raise FileExistsError(f"output_dir {output_dir}: {existing.name} is there already: choose another folder")
        other = images.setdefault(item["case"], item["image"])
        if other != item["image"]:
            raise ValueError(f"input {source}: {other} and {item['image']} would give the same prediction file")
    return items


def _files(source: Path, suffixes: tuple[str, ...], series: bool) -> list[Path]:
    if source.is_file():
        if source.name.lower().endswith(suffixes):
            return [source]
        folder = " or a folder with a DICOM series" if series else ""
        raise ValueError(f"input {source}: unknown suffix, expected one of {', '.join(suffixes)}{folder}")
    files = [f for f in source.iterdir() if f.name.lower().endswith(suffixes) and not f.name.startswith(".")]
    if series:
        files += [source] if is_dicom_folder(source) else filter(is_dicom_folder, source.iterdir())
    if not files and _KITS19.endswith(suffixes):
        files = list(source.glob(f"*/{_KITS19}"))
    if not files:
        searched = "no DICOM series in it or in its folders" if series else "its folders are not searched"
        raise FileNotFoundError(f"input {source}: no file that ends in {', '.join(suffixes)} ({searched})")
    return sorted(files)
