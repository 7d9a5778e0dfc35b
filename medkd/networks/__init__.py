"""Networks that return logits, and the taps that read their inner maps without editing them."""

from .checkpoints import load_weights, weights_file
from .class_queue import ClassQueue, gathered
from .features import Features, FeatureTaps, input_form
from .foreign import Ensemble, ForeignTeacher
from .imagenet21k import load_imagenet21k
from .intensity import Intensity
from .layers import Layer, layers
from .nnunet import NNUNet
from .resnet_fcn import ResNetFCN
from .tapped import TappedNetwork, default_taps
from .teacher import load_teacher, teacher_kind
from .transunet import TransUNet
from .unet import UNet
from .unet_plus_plus import UNetPlusPlus

__all__ = [
    "ClassQueue",
    "Ensemble",
    "FeatureTaps",
    "Features",
    "ForeignTeacher",
    "Intensity",
    "Layer",
    "NNUNet",
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
    "load_teacher",
    "load_weights",
    "teacher_kind",
    "weights_file",
]
