"""Networks that return logits, and the taps that read their inner maps without editing them."""

from .checkpoints import load_weights
from .class_queue import ClassQueue, gathered
from .features import Features, FeatureTaps, input_form
from .imagenet21k import load_imagenet21k
from .layers import Layer, layers
from .resnet_fcn import ResNetFCN
from .tapped import TappedNetwork, default_taps
from .transunet import TransUNet
from .unet import UNet
from .unet_plus_plus import UNetPlusPlus

__all__ = [
    "ClassQueue",
    "FeatureTaps",
    "Features",
    "Layer",
    "ResNetFCN",
    "TappedNetwork",
    "TransUNet",
    "UNet",
    "UNetPlusPlus",
    "default_taps",
    "gathered",
    "input_form",
    "layers",
    "load_imagenet21k",
    "load_weights",
]
