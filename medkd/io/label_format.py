"""The format that label maps of volumes are written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from medkd.runs.errors import UsageError

from .dicom_seg import Segments, check_libraries, check_series, write_dicom_seg
from .label_names import add_label_names, write_itk_snap_labels
from .seg_nrrd import write_seg_nrrd
from .segment_codes import read_codes, usual_codes

__all__ = ["FORMATS", "KINDS", "LabelFormat", "check_format_options"]

FORMATS = {"nifti": ".nii.gz", "seg.nrrd": ".seg.nrrd", "dicom-seg": ".dcm"}  # -> suffix of the files
KINDS = ("binary", "labelmap")


@dataclass(frozen=True)
class LabelFormat:
    """A format, and all that its files say of the classes.

    Attributes:
        classes: value in the label map -> name of the foreground classes, numbered from 1.
        name: one of `FORMATS`.
        dicom_seg: of DICOM-SEG: "binary" or "labelmap".
        dicom_codes: of DICOM-SEG: file with the codes of the classes, see `read_codes`; None: by their names.
        algorithm: of DICOM-SEG: name of the algorithm.

    Raises:
        ValueError: for another name, a package that is missing, a class or a file that DICOM-SEG cannot have.
        OSError: for a file of codes that cannot be read.
    """

    classes: Mapping[int, str]
    name: str = "nifti"
    dicom_seg: str = "binary"
    dicom_codes: str | Path | None = None
    algorithm: str = "medkd"

    def __post_init__(self) -> None:
        for option, value, valid in (("format", self.name, [*FORMATS]), ("dicom_seg", self.dicom_seg, KINDS)):
            if value not in valid:
                raise UsageError(f"--{option}: found {value!r}, expected {', '.join(valid)}")
        if self.name == "dicom-seg":
            check_libraries()
            self._segments.check()

    @property
    def suffix(self) -> str:
        """The end of the names of its files."""
        return FORMATS[self.name]

    @cached_property
    def _segments(self) -> Segments:
        chosen = read_codes(Path(self.dicom_codes), self.classes) if self.dicom_codes is not None else {}
        codes = {value: chosen.get(value) or usual_codes(name) for value, name in self.classes.items()}
        return Segments(self.classes, codes, self.dicom_seg, self.algorithm)

    def check_sources(self, sources: Sequence[str | Path], place: str | Path) -> None:
        """Check that a label map of any of the images can be written.

        Args:
            sources: files, and folders with a DICOM series.
            place: where they were found, for the message.

        Raises:
            ValueError: for DICOM-SEG, if none of them is a folder.
        """
        if self.name == "dicom-seg" and not any(Path(source).is_dir() for source in sources):
            first = Path(sources[0]).name
            raise ValueError(f"--input {place}: found no DICOM series ({first}), expected one with --format dicom-seg")

    def check_source(self, source: str | Path) -> None:
        """Check that a label map of an image can be written, before it is computed.

        Raises:
            ValueError: for DICOM-SEG, if the image is no DICOM series that a segmentation can refer to.
        """
        if self.name == "dicom-seg":
            check_series(Path(source), self._segments)

    def write(self, image: nib.Nifti1Image, path: Path, source: str | Path, affine: np.ndarray | None) -> None:
        """Write a label map.

        Args:
            image: voxels and header as its NIfTI file has them.
            path: the file, a temporary one for instance, in the folder of the label maps.
            source: the file, or folder with a DICOM series, of the image.
            affine: ``(4, 4)``, voxel indices to mm in RAS+, as the image was read; NIfTI does not need it.
        """
        labels = np.asanyarray(image.dataobj)
        if self.name == "nifti":
            add_label_names(image.header, self.classes)
            nib.save(image, path)
            write_itk_snap_labels(path.parent, self.classes)
        elif self.name == "seg.nrrd":
            assert affine is not None
            write_seg_nrrd(labels.reshape(labels.shape[:3]), affine, path, self.classes)
        else:
            write_dicom_seg(labels, path, Path(source), self._segments)


def check_format_options(options: Mapping[str, Any]) -> None:
    """Check that options of DICOM-SEG come with that format.

    Args:
        options: names and values that were given.

    Raises:
        ValueError: names the option that has no effect.
    """
    for name in ("dicom_seg", "dicom_codes"):
        if options.get(name) is not None and options.get("format") != "dicom-seg":
            raise UsageError(f"--{name}: has no effect without --format dicom-seg")
