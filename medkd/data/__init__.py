"""Data of training and evaluation: data lists and splits, volume stores, slices, patches, transforms."""

from typing import TYPE_CHECKING

from medkd.startup import lazy_names

if TYPE_CHECKING:
    from .augmentation import flip_axes, random_transforms
    from .channels import data_channels
    from .components import RemoveComponentsd
    from .datalist import load_datalist, load_unlabelled, save_datalist, subsample_cases
    from .dataset_properties import data_classes, data_values, dataset_property
    from .mixed_batches import MixedSampler, mixed_sampler, note_share
    from .normalise import NormaliseCased
    from .patch_maps import map_grid, native_size
    from .patches import RandStoredPatch, cases_for_patches, repeated_sampler
    from .predictions import DropChannelForMonaiLabeld, SaveImagePredictiond
    from .readers import PictureReader, VolumeFileReader, VolumeStoreReader
    from .reference_labels import agreement_metric, has_labels, reference_folder, write_reference_labels
    from .slices import SliceDataset, balanced_sampler
    from .splits import SPLITS, VALIDATION_SHARE, check_leaks, natural_key, split_cases
    from .targets import class_names, target_values
    from .transforms import CheckImaged, MapLabelsd
    from .unlabelled import (
        UNLABELLED_CHOICES,
        PlaceholderLabeld,
        count_cases,
        epoch_indices,
        labelled_items,
        training_set,
        unlabelled_cases,
    )
    from .volume_store import (
        SUFFIX,
        maps_shape,
        read_region,
        read_slice,
        read_volume,
        volume_shape,
        write_maps,
        write_volume,
    )
    from .windows import ScaleWindowd

__all__ = [
    "DropChannelForMonaiLabeld",
    "SaveImagePredictiond",
    "NormaliseCased",
    "SPLITS",
    "SUFFIX",
    "UNLABELLED_CHOICES",
    "VALIDATION_SHARE",
    "CheckImaged",
    "MixedSampler",
    "PlaceholderLabeld",
    "RandStoredPatch",
    "ScaleWindowd",
    "RemoveComponentsd",
    "SliceDataset",
    "MapLabelsd",
    "PictureReader",
    "VolumeFileReader",
    "VolumeStoreReader",
    "balanced_sampler",
    "cases_for_patches",
    "check_leaks",
    "class_names",
    "count_cases",
    "data_channels",
    "data_classes",
    "data_values",
    "dataset_property",
    "subsample_cases",
    "epoch_indices",
    "flip_axes",
    "labelled_items",
    "agreement_metric",
    "has_labels",
    "load_datalist",
    "reference_folder",
    "write_reference_labels",
    "load_unlabelled",
    "map_grid",
    "maps_shape",
    "mixed_sampler",
    "native_size",
    "note_share",
    "natural_key",
    "random_transforms",
    "read_region",
    "read_slice",
    "read_volume",
    "repeated_sampler",
    "save_datalist",
    "split_cases",
    "target_values",
    "training_set",
    "unlabelled_cases",
    "volume_shape",
    "write_maps",
    "write_volume",
]

__getattr__ = lazy_names(__name__, __file__)
