"""The table of metrics of a run: texts that look like numbers, and names that say what was compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .escapes import escape_csv, unescape_csv

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["agreement_summary", "read_table", "text_table"]

# columns of names in ``metrics.csv``, which may look like numbers
_TEXTS = ("case", "class", "patient")
_NAMES = (*_TEXTS, "protocol")
AGREEMENT = "agreement_"  # before the names of metrics that compare with a teacher's label maps
# after the names of what is measured of the label maps that are compared with
_TRUTH, _OF_TEACHER = "_truth", "_teacher"
TEACHER = "teacher"  # value of the column ``reference`` of such metrics
# columns of numbers; others may be text
_MEASURED = {"dice", "iou", "rvd", "hd95", "abs_rvd", "missed", "empty_truth", "false_alarm", "nsd", "ece"}


def read_table(file: Path) -> pd.DataFrame | None:
    """Return a table of metrics, one row for each case and class; None for a file that is missing or holds something else.

    Those of an agreement with a teacher have the names of metrics as well, and a column ``reference`` that says so.

    Args:
        file: as `text_table` is written.
    """
    import pandas as pd

    try:
        # Only an empty cell is a missing value: a case may be called NA, or null.
        types = dict.fromkeys(_TEXTS, str)
        table = pd.read_csv(file, dtype=types, keep_default_na=False, na_values=[""])
    except (FileNotFoundError, IsADirectoryError, ValueError):
        return None
    measured = [
        name
        for name in map(str, table)
        if _as_read(name).removesuffix("_raw") in _MEASURED or name.startswith(("lesion", "removed"))
    ]
    if not {"case", "class"} <= set(table.columns) or not all(
        map(pd.api.types.is_numeric_dtype, table[measured].dtypes)
    ):
        return None
    if any(name.startswith(AGREEMENT) for name in map(str, table)):
        table = table.rename(columns=lambda name: _as_read(str(name))).assign(reference=TEACHER)
    texts = [name for name in _TEXTS if name in table]
    return table.assign(**{name: table[name].map(unescape_csv, na_action="ignore") for name in texts})


def text_table(table: pd.DataFrame, is_agreement: bool) -> pd.DataFrame:
    """Return a table of metrics as it is written, see `read_table`.

    Args:
        table: one row for each case and class.
        is_agreement: whether the metrics compare with a teacher's label maps; they are named so.
    """
    if is_agreement:
        table = table.rename(columns=lambda name: name if name in _NAMES else _as_written(name))
    texts = {name: table[name].astype(str).map(escape_csv) for name in _TEXTS if name in table}
    return table.assign(**texts)


def agreement_summary(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return a summary, class -> metric -> values, with the names of metrics that compare with a teacher's label maps."""
    return {
        name: {_as_written(metric): value for metric, value in metrics.items()} for name, metrics in summary.items()
    }


def _as_written(name: str) -> str:
    """Return the name of a metric of agreement: ``agreement_volume_teacher`` of ``volume_truth``."""
    return AGREEMENT + (f"{name.removesuffix(_TRUTH)}{_OF_TEACHER}" if name.endswith(_TRUTH) else name)


def _as_read(name: str) -> str:
    """Return the name of a metric without that it is of agreement; runs made before say ``truth`` there too."""
    metric = name.removeprefix(AGREEMENT)
    is_of_teacher = metric != name and metric.endswith(_OF_TEACHER)
    return f"{metric.removesuffix(_OF_TEACHER)}{_TRUTH}" if is_of_teacher else metric
