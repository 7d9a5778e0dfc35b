"""Data: stored volumes, data lists and splits, slices, checks, phantoms."""

from .datalist import (
    SPLITS,
    VALIDATION_SHARE,
    check_leaks,
    data_classes,
    data_values,
    dataset_property,
    load_datalist,
    natural_key,
    save_datalist,
    split_cases,
    subsample_cases,
)
from .normalise import NormaliseCased
from .patches import RandStoredPatch, cases_for_patches, native_size, repeated_sampler
from .save import SavePredictiond
from .slices import SliceDataset, balanced_sampler
from .transforms import CheckImaged, MapLabelsd, class_names, foreground_values, target_values
from .volume_reader import VolumeFileReader
from .volume_store import SUFFIX, VolumeStoreReader, read_region, read_slice, read_volume, volume_shape, write_volume

__all__ = [
    "SavePredictiond",
    "NormaliseCased",
    "SPLITS",
    "SUFFIX",
    "VALIDATION_SHARE",
    "CheckImaged",
    "RandStoredPatch",
    "SliceDataset",
    "MapLabelsd",
    "VolumeFileReader",
    "VolumeStoreReader",
    "balanced_sampler",
    "cases_for_patches",
    "check_leaks",
    "class_names",
    "data_classes",
    "data_values",
    "dataset_property",
    "subsample_cases",
    "foreground_values",
    "load_datalist",
    "native_size",
    "natural_key",
    "read_region",
    "read_slice",
    "read_volume",
    "repeated_sampler",
    "save_datalist",
    "split_cases",
    "target_values",
    "volume_shape",
    "write_volume",
]
