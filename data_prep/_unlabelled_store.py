"""Images without labels are stored beside the labelled cases while a data set is prepared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medkd.data.datalist import read_datalist, write_datalist

from ._prepare import Preparation
from ._unlabelled import Naming, UnlabelledCases, collect_unlabelled, own_name
from ._unlabelled_report import write_unlabelled_report

__all__ = ["list_unlabelled", "store_unlabelled"]


def store_unlabelled(data_set: Preparation, naming: Naming = own_name, resample: bool = False) -> None:
    """Store the images of ``--unlabelled`` in a data set that is being written; nothing is done without that option.

    Args:
        data_set: its data list is saved.
        naming: see `collect_unlabelled`.
        resample: see `collect_unlabelled`.

    Raises:
        ValueError: see `collect_unlabelled`.
    """
    options, folder = data_set.options, data_set.folder
    if options.unlabelled is None:
        return
    datalist = read_datalist(folder)
    source = Path(options.unlabelled)
    cases = collect_unlabelled(source, folder, datalist, folder, options, naming, resample)
    list_unlabelled(folder, datalist, cases)
    data_set.unlabelled = len(cases.entries)


def list_unlabelled(folder: Path, datalist: Mapping[str, Any], cases: UnlabelledCases) -> None:
    """Write what the reports say of the images, then the data list that has them."""
    write_unlabelled_report(folder, cases.measures, cases.notes, cases.refused, cases.guesses)
    content = dict(datalist)
    listed = [*content.get("unlabelled", []), *cases.entries.values()]
    for key, added in (("refused", cases.refused), ("notes", cases.notes)):
        if added:
            content[key] = {**content.get(key, {}), **added}
    for note in cases.notes.keys() & datalist.get("notes", {}).keys():
        content["notes"][note] = [*datalist["notes"][note], *cases.notes[note]]
    write_datalist(folder, {**content, "unlabelled": listed})
