"""Pack a trained student as a MONAI bundle that runs without medkd: `medkd pack`."""

from .packing import pack

__all__ = ["pack"]
