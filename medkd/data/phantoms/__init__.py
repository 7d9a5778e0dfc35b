"""Generated data sets in the layouts of the official downloads, for tests, examples and dry runs."""

from medkd.data.phantoms.cvc_endoscene import draw_cvc_endoscene
from medkd.data.phantoms.dicom import write_dicom
from medkd.data.phantoms.idrid import draw_idrid
from medkd.data.phantoms.isic2018 import draw_isic2018
from medkd.data.phantoms.kits19 import draw_kits19
from medkd.data.phantoms.lits import draw_lits
from medkd.data.phantoms.nifti import draw_nifti

__all__ = ["draw_cvc_endoscene", "draw_idrid", "draw_isic2018", "draw_kits19", "draw_lits", "draw_nifti", "write_dicom"]
