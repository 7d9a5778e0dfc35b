"""Networks that return logits, and the taps that read their inner maps without editing them."""

from .checkpoints import load_weights
from .features import Features, FeatureTaps
from .resnet_fcn import ResNetFCN
from .unet import UNet
from .unet_plus_plus import UNetPlusPlus

__all__ = ["FeatureTaps", "Features", "ResNetFCN", "UNet", "UNetPlusPlus", "load_weights"]
