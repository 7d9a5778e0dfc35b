"""A trained student as a MONAI bundle that needs nothing of ours: `medkd pack`."""

from .packing import pack

__all__ = ["pack"]
