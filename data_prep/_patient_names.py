"""Patients that the names of the cases state, as ``patient_007_slice_012`` does."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["patients_in_names"]

_PATIENT = re.compile(r"((?:patient|subject|pat|sub)[-_ ]?\d+)(?:[-_. ].*)?", re.IGNORECASE)


def patients_in_names(cases: Collection[str]) -> dict[str, str]:
    """Return case -> patient where all names begin with a patient, and there are several patients, one with several cases.

    A name that only looks so is rare, and images of one patient in training and test are a leak: names that say "patient"
    are believed. Numbers alone are not.

    Returns:
        Nothing where the names do not state patients.

    Example:
        >>> patients_in_names(["patient_1_slice_1", "patient_1_slice_2", "patient_10"])
        {'patient_1_slice_1': 'patient_1', 'patient_1_slice_2': 'patient_1', 'patient_10': 'patient_10'}
        >>> patients_in_names(["patient_1", "patient_2"]), patients_in_names(["sub-01_a", "sub-01_b", "scan_3"])
        ({}, {})
    """
    matches = {case: _PATIENT.fullmatch(case) for case in cases}
    patients = {case: match[1] for case, match in matches.items() if match}
    return patients if len(patients) == len(cases) and 1 < len(set(patients.values())) < len(cases) else {}
