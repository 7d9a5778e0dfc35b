"""NIfTI, NRRD, MetaImage, DICOM and pictures, in and out as numpy arrays, without torch and MONAI."""

from .dicom_files import is_dicom_folder
from .geometry import size_at_spacing
from .inputs import PICTURES, case_name, find_images
from .normalise import normalise_case
from .pictures import as_rgb, read_picture
from .predictions import write_prediction
from .volume import Volume
from .volume_files import NIFTI, VOLUMES, read_nifti, read_volume, read_volume_file

__all__ = [
    "NIFTI",
    "PICTURES",
    "VOLUMES",
    "Volume",
    "as_rgb",
    "case_name",
    "find_images",
    "is_dicom_folder",
    "normalise_case",
    "read_nifti",
    "read_picture",
    "read_volume",
    "read_volume_file",
    "size_at_spacing",
    "write_prediction",
]
