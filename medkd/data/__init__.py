"""Data: stored volumes, data lists and splits, slices, checks, phantoms."""

from medkd.data.datalist import (
    PARTS,
    check_leaks,
    data_classes,
    data_values,
    dataset_property,
    draw_cases,
    load_datalist,
    natural_key,
    save_datalist,
    split_cases,
)
from medkd.data.images import SaveLabelsd
from medkd.data.normalise import NormaliseCased
from medkd.data.patches import RandPatchd, cases_for_patches, native_size, repeated_sampler
from medkd.data.phantoms import draw_cvc_endoscene, draw_idrid, draw_isic2018, draw_kits19, draw_lits, draw_nifti
from medkd.data.shares import OwnCases, SharedOrder
from medkd.data.slices import SliceDataset, balanced_sampler
from medkd.data.transforms import CheckImaged, TargetLabeld, class_names, foreground_values, target_values
from medkd.data.volume_files import VolumeFileReader
from medkd.data.volume_store import (
    SUFFIX,
    VolumeStoreReader,
    read_region,
    read_slice,
    read_volume,
    volume_shape,
    write_volume,
)
from medkd.formats import (
    NIFTI,
    PICTURES,
    VOLUMES,
    as_rgb,
    case_name,
    find_images,
    is_dicom_folder,
    read_nifti,
    read_volume_file,
)

__all__ = [
    "NIFTI",
    "PICTURES",
    "SaveLabelsd",
    "as_rgb",
    "case_name",
    "find_images",
    "NormaliseCased",
    "PARTS",
    "SUFFIX",
    "CheckImaged",
    "RandPatchd",
    "OwnCases",
    "SharedOrder",
    "SliceDataset",
    "TargetLabeld",
    "VOLUMES",
    "VolumeFileReader",
    "VolumeStoreReader",
    "balanced_sampler",
    "cases_for_patches",
    "check_leaks",
    "class_names",
    "data_classes",
    "data_values",
    "dataset_property",
    "draw_cases",
    "draw_cvc_endoscene",
    "draw_idrid",
    "draw_isic2018",
    "draw_kits19",
    "draw_lits",
    "draw_nifti",
    "foreground_values",
    "is_dicom_folder",
    "load_datalist",
    "native_size",
    "natural_key",
    "read_nifti",
    "read_region",
    "read_slice",
    "read_volume",
    "read_volume_file",
    "repeated_sampler",
    "save_datalist",
    "split_cases",
    "target_values",
    "volume_shape",
    "write_volume",
]
