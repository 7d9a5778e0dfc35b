"""Networks that return logits, and the taps that read their feature maps without a change of the network."""

from .check_size import check_size
from .checkpoints import load_weights, weights_file
from .choice import build_student, build_teacher
from .features import Channels, Features, FeatureTaps, input_spec
from .imagenet21k import load_imagenet21k
from .layers import Layer, layers
from .memory_format import move_for_inference, store_in_format
from .required_multiple import required_multiple
from .resnet_fcn import ResNetFCN
from .tapped import TappedNetwork, default_taps
from .transunet import TransUNet
from .unet import UNet
from .unet_plus_plus import UNetPlusPlus

__all__ = [
    "Channels",
    "FeatureTaps",
    "Features",
    "Layer",
    "ResNetFCN",
    "TappedNetwork",
    "TransUNet",
    "UNet",
    "UNetPlusPlus",
    "build_student",
    "build_teacher",
    "check_size",
    "default_taps",
    "input_spec",
    "layers",
    "load_imagenet21k",
    "load_weights",
    "move_for_inference",
    "required_multiple",
    "store_in_format",
    "weights_file",
]
