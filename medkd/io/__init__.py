"""NIfTI, NRRD, MetaImage, DICOM and pictures, in and out as numpy arrays, without torch and MONAI."""

from .channel_volumes import read_channel_files, read_channels
from .channels import ImagePaths, discover_channels, image_files, one_or_list
from .class_masks import ClassMask, read_class_mask
from .colours import class_colour, class_colour_code
from .components import label_components, remove_components, voxel_volume
from .dicom_files import is_dicom_folder
from .geometry import size_at_spacing
from .hidden import is_hidden
from .inputs import PICTURES, case_name, discover_images, find_images, find_pictures, find_volumes
from .label_format import FORMATS, KINDS, LabelFormat, check_format_options
from .labels import whole_numbers
from .masks import Mask, read_mask
from .normalise import channel_flags, channel_windows, check_windows, normalise_case, normalise_channels
from .picture_files import UPRIGHT, PictureFile, open_picture, turn_upright
from .picture_forms import FORMS, form_channels, picture_form, read_in_form, read_stored_picture, to_form
from .pictures import as_rgb, describe_conversion, has_transparency, read_picture, to_rgb
from .predictions import read_prediction, write_prediction
from .volume import Volume
from .volume_files import NIFTI, VOLUMES, read_nifti, read_volume, read_volume_file
from .volume_table import VolumeTable

__all__ = [
    "ClassMask",
    "read_class_mask",
    "FORMS",
    "form_channels",
    "picture_form",
    "read_in_form",
    "read_stored_picture",
    "to_form",
    "FORMATS",
    "KINDS",
    "LabelFormat",
    "NIFTI",
    "PICTURES",
    "UPRIGHT",
    "VOLUMES",
    "ImagePaths",
    "Mask",
    "PictureFile",
    "Volume",
    "VolumeTable",
    "as_rgb",
    "case_name",
    "channel_flags",
    "channel_windows",
    "check_windows",
    "check_format_options",
    "class_colour",
    "class_colour_code",
    "describe_conversion",
    "discover_channels",
    "discover_images",
    "find_images",
    "find_pictures",
    "find_volumes",
    "has_transparency",
    "image_files",
    "is_dicom_folder",
    "is_hidden",
    "label_components",
    "normalise_case",
    "normalise_channels",
    "one_or_list",
    "open_picture",
    "read_channel_files",
    "read_channels",
    "read_mask",
    "read_nifti",
    "read_picture",
    "read_prediction",
    "read_volume",
    "read_volume_file",
    "remove_components",
    "size_at_spacing",
    "to_rgb",
    "turn_upright",
    "voxel_volume",
    "whole_numbers",
    "write_prediction",
]
