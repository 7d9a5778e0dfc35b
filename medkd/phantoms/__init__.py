"""Synthetic data sets in the layouts of the official downloads, for tests, examples and dry runs."""

from .cvc_endoscene import make_cvc_endoscene
from .dicom import write_dicom
from .idrid import make_idrid
from .isic2018 import make_isic2018
from .kits19 import make_kits19
from .lits import make_lits
from .nifti import make_nifti
from .pictures import make_pictures

__all__ = [
    "make_cvc_endoscene",
    "make_idrid",
    "make_isic2018",
    "make_kits19",
    "make_lits",
    "make_nifti",
    "make_pictures",
    "write_dicom",
]
