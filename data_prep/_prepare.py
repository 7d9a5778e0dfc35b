"""From discovered cases to a prepared data set: stored cases, refused cases, data list and split."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from medkd.data import SPLITS, natural_key, save_datalist
from medkd.io import image_files
from medkd.io.paths import PathLike
from medkd.runs.case_names import ALIKE

from ._cases import DiscoveredCases, check_names, require_source
from ._equal_images import describe_groups, equal_images, find_leaks, merge_patients
from ._options import Options
from ._refusals import refuse, shortened, split_origin
from ._splits import check_splits, save_split, split_discovered, warn_without_target
from ._stored_cases import StoreCase, store_cases
from ._target import check_target, complete_or_absent

__all__ = ["Preparation", "open_data_set"]


class Preparation:
    """A data set that is being written: add the entry of each case, finish the cases, save the data list.

    Args:
        source: the source, for messages.
        folder: the folder to write to.
        cases: the discovered cases.
        splits: case names of each split.
        options: the options of ``prepare``.
        name: name of the data set.
    """

    def __init__(
        self,
        source: Path,
        folder: Path,
        cases: DiscoveredCases,
        splits: Mapping[str, Sequence[str]],
        options: Options,
        name: str,
    ) -> None:
        self.source, self.folder, self.name = source, folder, name
        self.cases, self.splits, self.options = cases, splits, options
        self.requested = [case for split in SPLITS for case in splits[split]]
        self.entries: dict[str, dict[str, Any]] = {}
        self.notes: dict[str, list[str]] = {}
        self.digests: dict[str, str] = {}
        self.equal_images: list[list[str]] = []
        self.unlabelled = 0  # number of images without labels
        self.without_labels = False  # no case has a label: those of training become the unlabelled ones
        # A split file need not name every case. A refused case is reported if it is requested or has no patient.
        self.refused = {
            case: reason
            for case, reason in cases.refused.items()
            if case in set(self.requested) or case not in cases.patients
        }

    def store_cases(self, store: StoreCase) -> dict[str, Any]:
        """Store every requested case; cases that cannot be read are refused.

        Args:
            store: see `StoreCase`.

        Returns:
            Case -> measures of the stored cases.

        Raises:
            OSError: when the disk that is written to is full or fails: no case is to blame, so none is left out.
        """
        files = {case: self.cases.files[case] for case in self.requested if case in self.cases.files}
        measured = {}
        stored_cases = store_cases(
            store, self.folder, files, self.cases.patients, self.options.workers, f"prepare {self.name}"
        )
        for case, stored in stored_cases.items():
            if isinstance(stored, ValueError | OSError):
                self.refused[case] = " ".join(str(stored).split())
                continue
            self.entries[case], self.digests[case], measured[case] = stored.entry, stored.digest, stored.measures
            for note in stored.notes:
                self.note(case, note)
        return measured

    def note(self, case: str, note: str) -> None:
        """Keep what the files of a case left open, for the console and the data list."""
        self.notes.setdefault(note, []).append(case)

    def finish_cases(self) -> dict[str, list[dict[str, Any]]]:
        """Report the refused cases and return the entries of each split.

        Raises:
            ValueError: when cases are refused and ``skip_bad`` is off, or when a split is empty.
        """
        if not self.refused or self.options.skip_bad:
            self._find_equal_images()
        self.refused = dict(sorted(self.refused.items(), key=lambda item: natural_key(item[0])))
        if self.refused and not self.options.skip_bad:
            refuse(self.refused, len({*self.requested, *self.refused}))
        for case, reason in self.refused.items():
            tqdm.write(f"refused {case}: {reason}")
        for note, cases in self.notes.items():
            tqdm.write(f"note: {shortened(cases)}: {note}", file=sys.stderr)
        for sentence in describe_groups(self.equal_images):
            tqdm.write(f"note: {sentence}", file=sys.stderr)
        listed = self._listed()
        check_splits(self.source, listed, split_origin(self.options, self.refused))
        return listed

    def _find_equal_images(self) -> None:
        """Take cases with one image for one patient, and refuse those that a file or the publishers put into two splits."""
        groups = equal_images(self.digests)
        if not groups:
            return
        options = self.options
        same_patient = merge_patients(groups, {case: entry["patient"] for case, entry in self.entries.items()})
        try:
            self.splits = split_discovered(
                self.cases,
                options.split,
                options.fold,
                options.folds,
                options.seed,
                same_patient,
                others=options.unlabelled is not None,
            )
        except ValueError as error:  # too few patients are left
            raise ValueError(f"{error}; {describe_groups(groups)[0]} (one patient each)") from error
        leaks = find_leaks(groups, self.splits)
        for case, reason in leaks.items():
            self.refused[case] = reason
            entry = self.entries.pop(case)
            for path in (*image_files(entry["image"]), *image_files(entry.get("label", []))):
                (self.folder / path).unlink(missing_ok=True)
        kept = [[case for case in group if case not in leaks] for group in groups]
        self.equal_images = [group for group in kept if len(group) > 1]
        if not leaks:
            self.entries = {
                case: {**entry, "patient": same_patient.get(case, entry["patient"])}
                for case, entry in self.entries.items()
            }

    def save(self, *, description: str, modality: Mapping[str, str], labels: Mapping[str, str], **extra: Any) -> None:
        """Write ``datalist.json`` and ``split.json``; warn of classes that no validation case has.

        Args:
            description: one sentence on the stored data, for the data list.
            modality: channel number to name.
            labels: label value to name.
            extra: further keys of the data list.
        """
        listed = self._listed()
        splits = listed
        if self.without_labels:
            splits = {**listed, "training": [], "unlabelled": listed["training"]}
            extra["without_labels"] = True
        refused = {"refused": self.refused} if self.refused else {}
        notes = {"notes": self.notes} if self.notes else {}
        save_datalist(
            self.folder,
            splits,
            name=self.name,
            description=description,
            modality=modality,
            labels=labels,
            **extra,
            **refused,
            **notes,
        )
        held_out = self.cases.held_out if self.options.split == self.cases.split_name else ""
        options = {name: getattr(self.options, name) for name in ("fold", "folds", "seed")}
        origin = {"split": str(self.options.split), **options, **({"held_out": held_out} if held_out else {})}
        save_split(self.folder, listed, origin, self._left_out())
        if not self.without_labels:
            warn_without_target(self.folder, listed["validation"], labels)

    def summary(self, target: PathLike) -> dict[str, Any]:
        """Return what ``prepare`` returns.

        Returns:
            ``{"dataset_dir", "cases": {split: count}, "refused": {case: reason}, "left_out": [case]}``, and the number of
            images without labels, ``"unlabelled"``, where there are any.
        """
        counts = {split: len(entries) for split, entries in self._listed().items()}
        if self.without_labels:
            counts = {"unlabelled": counts.pop("training") + self.unlabelled, **counts}
        unlabelled = {"unlabelled": self.unlabelled} if self.unlabelled and not self.without_labels else {}
        lists = {"refused": self.refused, "left_out": self._left_out()}
        return {"dataset_dir": str(target), "cases": counts, **unlabelled, **lists}

    def _listed(self) -> dict[str, list[dict[str, Any]]]:
        return {split: [self.entries[case] for case in self.splits[split] if case in self.entries] for split in SPLITS}

    def _left_out(self) -> list[str]:
        return sorted(set(self.cases.patients) - set(self.requested), key=natural_key)


@contextmanager
def open_data_set(
    source: Path,
    target: PathLike,
    cases: DiscoveredCases,
    options: Options,
    name: str,
    splits: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[Preparation]:
    """Yield the `Preparation` of a data set; the target appears only when the block succeeds.

    The split is made before any case is stored, and with the refused cases: a file that is repaired later moves no other
    case.

    Args:
        source: folder of the source.
        target: folder to write.
        cases: the discovered cases.
        options: the options of ``prepare``.
        name: name of the data set.
        splits: case names of each split, where the caller has split the cases already.

    Raises:
        ValueError: no cases, an empty split, a target that must not be written.
    """
    if not cases.files and not cases.refused:
        raise ValueError(f"{source}: no cases found")
    alike = check_names(cases, Path(target))
    splits = splits or split_discovered(
        cases,
        options.split,
        options.fold,
        options.folds,
        options.seed,
        others=options.unlabelled is not None,
    )
    # Checked here too, before hours of storing cases. finish_cases lists the refused cases unless they may be left out.
    usable = {split: [case for case in splits[split] if case in cases.files] for split in SPLITS}
    check_splits(source, usable if options.skip_bad else splits, split_origin(options, cases.refused))
    if options.unlabelled is not None:
        check_target(require_source(options.unlabelled, "unlabelled"), Path(target), options.overwrite)
    with complete_or_absent(source, Path(target), options.overwrite) as folder:
        data_set = Preparation(source, folder, cases, splits, options, name)
        for case in sum(alike, []):
            data_set.note(case, ALIKE)
        yield data_set
