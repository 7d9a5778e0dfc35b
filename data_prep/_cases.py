"""The cases of a source: their files, patients and reasons of refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from medkd.io import is_hidden
from medkd.io.paths import PathLike
from medkd.runs.case_names import check_case_name, ignores_capitals, names_alike

__all__ = ["CaseFiles", "DiscoveredCases", "check_names", "merge_cases", "require_source"]


class CaseFiles(NamedTuple):
    """The files of one case.

    Attributes:
        images: one image file for each channel; a file that holds all channels (4-D, RGB) counts as one.
        label: the label file.
    """

    images: tuple[Path, ...]
    label: Path


@dataclass
class DiscoveredCases:
    """The cases of a source.

    Attributes:
        files: case -> its image files and its label file.
        patients: case -> patient.
        refused: case -> reason, of cases that cannot be used.
        published: case -> split of the published split, where there is one.
        validation_seed: samples validation cases from the training cases of the published split; None: it has its own.
        held_out: sentence for ``split.json`` on the cases that were held out of the published split.
        split_name: the value of ``--split`` that asks for ``published``.
        drawn_as: the kind of `medkd.data.split_cases` that ``split_name`` stands for, where nothing is published.
    """

    files: dict[str, CaseFiles] = field(default_factory=dict)
    patients: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)
    validation_seed: int | None = None
    held_out: str = ""
    split_name: str = "published"
    drawn_as: str = ""

    def refuse(self, reasons: Mapping[str, str]) -> None:
        """Refuse cases; a case that had files has them no more.

        Args:
            reasons: case -> reason.
        """
        for case, reason in reasons.items():
            self.files.pop(case, None)
            self.refused[case] = reason


def require_source(source: PathLike, option: str = "source") -> Path:
    """Return the source as a path, after the check that it is a folder with content.

    Args:
        source: a folder that is not empty.
        option: name of the option, for messages.

    Raises:
        NotADirectoryError: for a file.
        FileNotFoundError: for a missing folder.
        ValueError: for an empty folder.
    """
    path = Path(source)
    if path.is_file():
        raise NotADirectoryError(f"--{option} {source}: is a file, expected a folder")
    if not path.is_dir():
        raise FileNotFoundError(f"--{option} {source}: no such folder")
    if all(map(is_hidden, path.iterdir())):
        raise ValueError(f"--{option} {source}: the folder is empty")
    return path


def merge_cases(discovered: Sequence[DiscoveredCases]) -> DiscoveredCases:
    """Return the cases of several folders together; a case that is in two of them is refused."""
    merged = DiscoveredCases()
    for cases in discovered:
        repeated = {}
        for case in merged.patients.keys() & cases.patients.keys():
            files = [
                str(one.files[case].images[0]) if case in one.files else one.refused[case] for one in (merged, cases)
            ]
            repeated[case] = f"two files stand for this case: {' and '.join(files)}; keep one"
        for name in ("files", "patients", "refused", "published"):
            getattr(merged, name).update(getattr(cases, name))
        for case, reason in repeated.items():
            merged.files.pop(case, None)
            merged.refused[case] = reason
    return merged


def check_names(cases: DiscoveredCases, target: Path) -> list[list[str]]:
    """Refuse the cases whose names cannot be those of files in every folder, or would be one file in the target.

    Returns:
        The groups of other names that are alike, see `names_alike`.
    """
    for case in list(cases.files):
        try:
            check_case_name(case)
        except ValueError as error:
            cases.refuse({case: str(error)})
    groups = names_alike(cases.files)
    if not groups or not ignores_capitals(target):
        return groups
    for group in groups:
        cases.refuse(dict.fromkeys(group, f"{', '.join(group)} would be one file in {target}: rename all but one"))
    return []
