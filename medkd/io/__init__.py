"""File formats in and out, with numpy alone: neither torch nor MONAI is imported here."""

from .dicom_series import is_dicom_folder
from .geometry import size_at_spacing
from .images import PICTURES, case_name, find_images
from .intensity import normalise_case
from .labels import write_prediction
from .pictures import as_rgb, read_picture
from .volume_files import NIFTI, VOLUMES, read_nifti, read_volume_file

__all__ = [
    "NIFTI",
    "PICTURES",
    "VOLUMES",
    "as_rgb",
    "case_name",
    "find_images",
    "is_dicom_folder",
    "normalise_case",
    "read_nifti",
    "read_picture",
    "read_volume_file",
    "size_at_spacing",
    "write_prediction",
]
