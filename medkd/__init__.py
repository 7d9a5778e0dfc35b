"""Knowledge distillation of medical segmentation networks, in 2-D and 3-D, on MONAI."""

__version__ = "0.1.0"
