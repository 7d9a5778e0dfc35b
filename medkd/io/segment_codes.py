"""What the segments of a DICOM segmentation are, in codes: by the names of the classes, or by a file of the user."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["SegmentCodes", "read_codes", "usual_codes"]

_SYNONYMS = {"tumour": "neoplasm", "tumor": "neoplasm"}
# Context groups of the standard (PS3.16) whose keywords are looked up, each with the category of its members.
_GROUPS = (
    ("cid7159", "MorphologicallyAbnormalStructure"),  # lesion segmentation types
    ("cid7192", "AnatomicalStructure"),  # anatomical structure segmentation property types
    ("cid7166", "Tissue"),  # common tissue segmentation types
)
_CATEGORY, _TYPE = "SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence"
_PARTS = {"CodeValue": 16, "CodingSchemeDesignator": 16, "CodeMeaning": 64}  # -> characters at most


class SegmentCodes(NamedTuple):
    """Codes of a segment, each a pydicom ``Code``."""

    category: Any
    type: Any


def usual_codes(name: str) -> SegmentCodes:
    """Return the codes of a class by its name: kidney, liver, tumour and all others of DICOM's lists of segments.

    A name that the lists do not have is a tissue, without a word on which, as in 3D Slicer.

    Args:
        name: of the class, in English; capitals, spaces and underscores do not matter.
    """
    codes = import_module("pydicom.sr.codedict").codes
    word = " ".join(re.split(r"[\W_]+", name.strip().lower()))
    keyword = "".join(part.capitalize() for part in _SYNONYMS.get(word, word).split())
    for group, category in _GROUPS:
        if keyword and keyword in dir(getattr(codes, group)):
            return SegmentCodes(getattr(codes.SCT, category), getattr(getattr(codes, group), keyword))
    return SegmentCodes(codes.SCT.Tissue, codes.SCT.Tissue)


def read_codes(path: Path, classes: Mapping[int, str]) -> dict[int, SegmentCodes]:
    """Read the codes of classes from a JSON file in the form of dcmqi's ``itkimage2segimage``.

    That form is ``{"segmentAttributes": [[{"labelID": 1, "SegmentedPropertyCategoryCodeSequence": {"CodeValue": ...,
    "CodingSchemeDesignator": ..., "CodeMeaning": ...}, "SegmentedPropertyTypeCodeSequence": {...}}, ...]]}``. Its other entries
    are not read. A class that the file does not name has its `usual_codes`.

    Args:
        path: of the file.
        classes: value -> name of the foreground classes.

    Raises:
        ValueError: for a file of another form, or a label that is none of the classes.
        OSError: for a file that cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--dicom_codes {path}: is no JSON ({error})") from error
    groups = content.get("segmentAttributes") if isinstance(content, dict) else None
    if not isinstance(groups, list) or not all(isinstance(group, list) for group in groups):
        raise ValueError(f"--dicom_codes {path}: found no segmentAttributes, expected a list of lists of segments")
    found: dict[int, SegmentCodes] = {}
    for segment in (segment for group in groups for segment in group):
        label = segment.get("labelID") if isinstance(segment, dict) else None
        if isinstance(label, bool) or not isinstance(label, int) or label not in classes:
            valid = ", ".join(f"{value} ({name})" for value, name in classes.items())
            raise ValueError(f"--dicom_codes {path}: found labelID {str(label)[:40]!r}, expected one of {valid}")
        if label in found:
            raise ValueError(f"--dicom_codes {path}: found labelID {label} twice")
        found[label] = SegmentCodes(*(_code(path, segment, name) for name in (_CATEGORY, _TYPE)))
    return found


def _code(path: Path, segment: Mapping[str, Any], name: str) -> Any:
    code = segment.get(name)
    code = code[0] if isinstance(code, list) and len(code) == 1 else code
    parts = [code.get(part) for part in _PARTS] if isinstance(code, dict) else []
    is_valid = [
        isinstance(part, str) and 0 < len(part) <= most for part, most in zip(parts, _PARTS.values(), strict=False)
    ]
    if len(parts) < len(_PARTS) or not all(is_valid):
        expected = ", ".join(f"{part} (up to {most} characters)" for part, most in _PARTS.items())
        raise ValueError(f"--dicom_codes {path}: {name} of labelID {segment['labelID']}: expected {expected}")
    return import_module("pydicom.sr.coding").Code(*parts)
