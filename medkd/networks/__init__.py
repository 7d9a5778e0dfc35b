"""Networks that return logits, and the taps that read their inner maps without editing them."""

from .checkpoints import load_weights, weights_file
from .features import Features, FeatureTaps, input_spec
from .imagenet21k import load_imagenet21k
from .layers import Layer, layers
from .resnet_fcn import ResNetFCN
from .tapped import TappedNetwork, default_taps
from .transunet import TransUNet
from .unet import UNet
from .unet_plus_plus import UNetPlusPlus

__all__ = [
    "FeatureTaps",
    "Features",
    "Layer",
    "ResNetFCN",
    "TappedNetwork",
    "TransUNet",
    "UNet",
    "UNetPlusPlus",
    "default_taps",
    "input_spec",
    "layers",
    "load_imagenet21k",
    "load_weights",
    "weights_file",
]
