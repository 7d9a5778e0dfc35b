"""The split of a source that describes itself: by its lists, its folds, its test folder, or drawn here."""

from __future__ import annotations

from medkd.io.paths import PathLike

from ._described_source import DescribedSource
from ._nnunet_folds import find_folds, publish, use_folds

__all__ = ["resolve_split"]


def resolve_split(described: DescribedSource, split: PathLike | None, fold: int, seed: int) -> PathLike:
    """Set the published split of a source's cases, note what it is, and return the value of ``split`` that asks for it.

    Args:
        described: the source.
        split: ``"published"``: its test cases with labels, its list of validation cases, or its fold; None: that, where
            there is one, else ``"random"``; the folds of nnU-Net (see `find_folds`); or any value of `split_cases`.
        fold: number of the fold that is held out.
        seed: seed of the validation cases, where they are sampled.

    Raises:
        ValueError: a published split is asked for and there is none, or no such fold.
    """
    cases, notes = described.cases, described.notes
    held_out = {"validation", "test"} & set(cases.published.values())
    if split is None:
        split = "published" if held_out or described.folds else "random"
    if split == "published":
        if not held_out and not described.folds:
            raise ValueError(
                f"--split published: {described.path} lists no validation or test cases with labels and no folds, "
                "expected random, sorted, a JSON file or a CSV"
            )
        notes.append(f"split: as published; {'; '.join(publish(cases, _hold_out_fold(described, fold), seed))}")
        return split
    if split not in ("random", "sorted"):
        if path := find_folds(split, described.path.parent.name):
            notes.append(f"split: {'; '.join(use_folds(cases, path, split, fold, seed))}")
            return str(split)
        return split
    if test := [case for case, listed in cases.published.items() if listed == "test"]:
        for case in test:
            for mapping in (cases.files, cases.patients, cases.refused, cases.published):
                mapping.pop(case, None)
        notes.append(f"left out: {len(test)} test cases with labels: --split published tests on them")
    return split


def _hold_out_fold(described: DescribedSource, fold: int) -> str:
    """Mark the cases of a fold as validation, where no list has validation cases; return what these are called."""
    cases, numbers = described.cases, sorted(set(described.folds.values()))
    name = described.path.name
    if not numbers:
        return f"the list validation of {name}"
    if "validation" in cases.published.values():
        described.notes.append(f"the fold numbers of {name} have no effect: it lists validation cases")
        return f"the list validation of {name}"
    if fold not in numbers:
        raise ValueError(
            f"--fold {fold}: found the folds {', '.join(map(str, numbers))} in {name}, expected one of them"
        )
    cases.published |= {case: "validation" for case, number in described.folds.items() if number == fold}
    return f"fold {fold} of {name}"
