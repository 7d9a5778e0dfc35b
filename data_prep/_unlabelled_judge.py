"""Which images without labels are added to a data set: those that are new, and would be no leak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medkd.data import SPLITS, natural_key

from ._stored_form import ImageMeasures, StoredImage

__all__ = ["Judge", "UnlabelledCases"]


@dataclass
class UnlabelledCases:
    """The images without labels that are added to a data set.

    Attributes:
        entries: of the data list, by case.
        measures: of the same cases.
        notes: what files left open, and what was left out -> cases.
        refused: case -> reason, where refused images may be left out.
        guesses: sentences on what was guessed.
    """

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    measures: dict[str, ImageMeasures] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    guesses: list[str] = field(default_factory=list)


class Judge:
    """Decides on each stored image: added, left out because it is there already, or refused as a leak.

    Args:
        entries: split -> entries of the data set.
        digests: case -> checksum of its image.
        cases: receives what is decided.
    """

    def __init__(
        self,
        entries: Mapping[str, Sequence[Mapping[str, Any]]],
        digests: Mapping[str, str],
        cases: UnlabelledCases,
    ) -> None:
        self.split_of = {str(entry["case"]): split for split, listed in entries.items() for entry in listed}
        # Of equal images in two splits, that of the split that is measured on counts.
        self.case_of = {
            digest: case
            for case, digest in sorted(digests.items(), key=lambda item: _rank(self.split_of[item[0]]))
            if digest
        }
        self.measured_patients = {
            str(entry["patient"]): split for split in ("validation", "test") for entry in entries[split]
        }
        told = {
            str(entry["patient"])
            for listed in entries.values()
            for entry in listed
            if entry["patient"] != entry["case"]
        }
        # Patients whose names are not those of cases: a file name that begins with one tells whose it is.
        self.told = sorted(told, key=len, reverse=True)
        self.cases = cases

    def judge(self, stored: Mapping[str, StoredImage], patients: Mapping[str, str]) -> None:
        """Decide on each image, in natural order of their names."""
        for case in sorted(stored, key=natural_key):
            image, patient = stored[case], self._patient(case, patients[case])
            if reason := self._leak(case, patient, image.digest):
                self.cases.refused[case] = reason
            elif twin := self.case_of.get(image.digest):
                split = self.split_of.get(twin, "unlabelled")
                whose = "a labelled training case" if split == "training" else "another image without a label"
                self.cases.notes.setdefault(f"left out: the same image as {whose}", []).append(
                    case if case == twin else f"{case} (= {twin})"
                )
            elif case in self.split_of:
                self.cases.refused[case] = (
                    f"another image of {self.split_of[case]} has this name: rename one of the two"
                )
            else:
                if image.digest:
                    self.case_of[image.digest] = case
                picture = {"image": image.entry["image"], "case": case, "patient": patient}
                self.cases.entries[case] = {**picture, **image.entry}
                self.cases.measures[case] = image.measures
                for note in image.notes:
                    self.cases.notes.setdefault(note, []).append(case)

    def _patient(self, case: str, patient: str) -> str:
        """Return the patient of a case: as told, or the one whose name the case's name begins with."""
        if patient != case:
            return patient
        starts = (name for name in self.told if case.startswith(name) and not case[len(name) : len(name) + 1].isalnum())
        guessed = next(starts, None)
        if guessed is None:
            return patient
        self.cases.notes.setdefault(f"taken for the patient {guessed}, whose name its own begins with", []).append(case)
        return guessed

    def _leak(self, case: str, patient: str, digest: str) -> str:
        twin = self.case_of.get(digest) if digest else None
        split = self.split_of.get(twin or "")
        help_ = (
            "a score there would be helped by it; take it out of the folder, or leave all such out by --skip_bad True"
        )
        if split in ("validation", "test"):
            return f"its image is that of {twin}, of {split}: {help_}"
        if patient in self.measured_patients:
            return f"its patient {patient} is in {self.measured_patients[patient]}: {help_}"
        return ""


def _rank(split: str) -> int:
    return ("unlabelled", *SPLITS).index(split)
