"""``volumes.csv`` of an inference: the volume of each class in each prediction."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medkd.runs.errors import counted, rounded
from medkd.runs.escapes import escape_csv, unescape_csv
from medkd.runs.files import naming, write_atomically

from .components import voxel_volume

__all__ = ["VolumeTable"]

_MOST_CLASSES = 20  # of the summary
_COLUMNS = {
    "ml": ["case", "class", "ml", "voxels", "removed_voxels"],
    "pixels": ["case", "class", "pixels", "removed_pixels"],
}


class VolumeTable:
    """The file ``volumes.csv`` of an output folder: one row for each case and foreground class.

    Columns are "case", "class", "ml", "voxels" and "removed_voxels", or for pictures "pixels" and "removed_pixels". Removed
    are the voxels of components that were not wanted, see `remove_components`. Rows of other cases stay: one folder may hold
    the predictions of several calls.

    Args:
        output_dir: folder of the predictions.
        classes: label value -> name, foreground only.
        unit: "ml", or "pixels" for pictures.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> table = VolumeTable(folder, {1: "tumour"})
        >>> table.begin(["a"])
        >>> table.add("a", np.ones((2, 2, 2), np.uint8), np.diag([5.0, 5.0, 5.0, 1.0]))
        ''
        >>> print(table.file.read_text().splitlines()[1])
        a,tumour,1,8,0
    """

    def __init__(self, output_dir: str | Path, classes: Mapping[int, str], unit: str = "ml") -> None:
        self.file = Path(output_dir) / "volumes.csv"
        self.classes = dict(classes)
        self.columns = _COLUMNS[unit]

    def begin(self, cases: Collection[str]) -> None:
        """Take the rows of cases that are about to be predicted out of the file; there may be none.

        Raises:
            FileExistsError: for a file of this name with other columns, which is not ours to change.
        """
        if not self.file.exists():
            return
        with self.file.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            header, *rows = [*csv.reader(file)] or [[]]
        if header != self.columns:
            raise FileExistsError(
                f"--output_dir {self.file.parent}: volumes.csv: found the columns {','.join(header)[:80]}, "
                f"expected {','.join(self.columns)}: choose another folder"
            )
        predicted = set(cases)
        # a row that a kill has cut off has too few columns
        kept = [row for row in rows if len(row) == len(header) and unescape_csv(row[0]) not in predicted]
        if kept != rows:
            text = _csv([header, *kept])
            write_atomically(self.file, lambda path: _append(path, text))

    def add(self, case: str, labels: np.ndarray, affine: np.ndarray | None, raw: np.ndarray | None = None) -> str:
        """Add the rows of a case.

        Args:
            case: its name.
            labels: ``(*spatial)``, integers.
            affine: ``(4, 4)``, voxel indices to mm.
            raw: labels before components were removed; None: none were.

        Returns:
            What was removed, for the console, such as ", removed 12 voxels of tumour"; an empty text for nothing.
        """
        volume = voxel_volume(affine, labels.ndim)
        rows, removed = [], []
        for value, name in self.classes.items():
            count = np.count_nonzero(labels == value)
            gone = 0 if raw is None else np.count_nonzero(raw == value) - count
            amount = [f"{count * volume:.6g}"] if "ml" in self.columns else []
            rows.append([escape_csv(case), escape_csv(name), *amount, count, gone])
            removed += [f"{gone} {self.columns[-1].removeprefix('removed_')} of {name}"] if gone else []
        begin = [] if self.file.exists() else [self.columns]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        _append(self.file, _csv([*begin, *rows]))
        return f", removed {', '.join(removed)}" if removed else ""

    def summary(self, cases: Collection[str]) -> str:
        """Return lines on the predictions of some cases: where they are, how many, and how much there is of each class.

        Args:
            cases: names; those without a prediction are not counted.
        """
        amounts: dict[str, list[float]] = {name: [] for name in self.classes.values()}
        if self.file.exists():
            with self.file.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
                for row in list(csv.reader(file))[1:]:
                    if unescape_csv(row[0]) in set(cases):
                        amounts.setdefault(unescape_csv(row[1]), []).append(float(row[2]))
        count = max(map(len, amounts.values()), default=0)
        lines = [f"{counted(count, 'case')} predicted in {self.file.parent}; volumes.csv has each"]
        lines += [f"  {name}: {_describe(values, self.columns[2])}" for name, values in amounts.items() if values]
        if len(lines) > _MOST_CLASSES + 1:
            lines[_MOST_CLASSES + 1 :] = [f"  and {len(lines) - _MOST_CLASSES - 1} further classes"]
        return "\n".join(lines)


def _describe(amounts: list[float], unit: str) -> str:
    """Return the amount of a class in its cases: of one case, or the median and the range of those that have any.

    Example:
        >>> _describe([0.0, 2.5, 1.0], "ml")
        'in 2 of 3 cases, median 1.75 ml (1 to 2.5)'
    """
    present = [amount for amount in amounts if amount]
    if not present:
        return "not found" if len(amounts) == 1 else f"in none of {len(amounts)} cases"
    numbers = [rounded(number) for number in (statistics.median(present), min(present), max(present))]
    if len(amounts) == 1:
        return f"{numbers[0]} {unit}"
    return f"in {len(present)} of {len(amounts)} cases, median {numbers[0]} {unit} ({numbers[1]} to {numbers[2]})"


def _csv(rows: Collection[Collection[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _append(path: Path, text: str) -> None:
    with naming(path), path.open("a", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)
