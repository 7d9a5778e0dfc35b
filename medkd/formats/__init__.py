"""File formats in and out, with numpy alone: neither torch nor MONAI is imported here."""

from medkd.formats.dicom_series import is_dicom_folder
from medkd.formats.files import write_atomically
from medkd.formats.images import PICTURES, case_name, find_images
from medkd.formats.intensity import normalise_case
from medkd.formats.labels import write_prediction
from medkd.formats.pictures import as_rgb, read_picture
from medkd.formats.volume_files import NIFTI, VOLUMES, read_nifti, read_volume_file

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
    "write_atomically",
    "write_prediction",
]
