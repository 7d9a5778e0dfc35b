"""Generated data sets in the layouts of the official downloads, for tests, examples and dry runs."""

from medkd.data.phantoms.cvc_endoscene import draw_cvc_endoscene
from medkd.data.phantoms.kits19 import draw_kits19

__all__ = ["draw_cvc_endoscene", "draw_kits19"]
