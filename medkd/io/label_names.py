"""The names of classes beside and inside of NIfTI label maps, for viewers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib

from medkd.runs.files import write_atomically

from .colours import class_colour

__all__ = ["ITK_SNAP_LABELS", "add_label_names", "write_itk_snap_labels"]

ITK_SNAP_LABELS = "itksnap_labels.txt"
# ITK-SNAP skips lines that begin with "#", and takes the rest of a line from its first double quote on as the name
# (ColorLabelTable::LoadFromFile). It begins each file that it writes with these lines.
_HEAD = """\
################################################
# ITK-SnAP Label Description File
# File format:
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
# Fields:
#    IDX:   Zero-based index
#    -R-:   Red color component (0..255)
#    -G-:   Green color component (0..255)
#    -B-:   Blue color component (0..255)
#    -A-:   Label transparency (0.00 .. 1.00)
#    VIS:   Label visibility (0 or 1)
#    MSH:   Label mesh visibility (0 or 1)
#  LABEL:   Label description
################################################
"""
_ROW = '{:5}   {:3}  {:3}  {:3}  {:7}  {}  {}    "{}"\n'


def write_itk_snap_labels(folder: Path, classes: Mapping[int, str]) -> None:
    """Write the label description file of a folder's label maps, unless it is there already.

    ITK-SNAP reads it by Segmentation, Import Label Descriptions.

    Args:
        folder: of the label maps.
        classes: value -> name of the foreground classes.
    """
    rows = [(0, 0, 0, 0, 0, 0, 0, "Clear Label")]
    rows += [(value, *class_colour(value), 1, 1, 1, _printable(name)) for value, name in sorted(classes.items())]
    text = _HEAD + "".join(_ROW.format(*row) for row in rows)
    path = folder / ITK_SNAP_LABELS
    if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:
        write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def add_label_names(header: nib.Nifti1Header, classes: Mapping[int, str]) -> None:
    r"""Add the names of the classes to a header, as an extension with the code 6 of comments.

    NIfTI has no code for names of labels. A comment is text that viewers show and other programs pass on. This one is JSON:
    ``{"labels": {"1": "kidney", "2": "tumour"}}``.

    Args:
        header: is changed.
        classes: value -> name of the foreground classes.

    Example:
        >>> import numpy as np
        >>> image = nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
        >>> add_label_names(image.header, {1: "kidney"})
        >>> json.loads(image.header.extensions[0].get_content().rstrip(b"\0"))["labels"]
        {'1': 'kidney'}
    """
    content = json.dumps({"labels": {str(value): name for value, name in sorted(classes.items())}})
    header.extensions.append(nib.nifti1.Nifti1Extension("comment", content.encode()))
    header["vox_offset"] = 0  # nibabel computes it anew, with room for the extension


def _printable(name: str) -> str:
    """Return a name without double quotes, which end it, and on one line."""
    return " ".join(name.replace('"', "'").split())
