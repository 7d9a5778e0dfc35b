"""What a data set says of itself, beside its cases: classes and values of its labels, and the settings that it proposes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medkd.configs.plain import check_plain
from medkd.configs.table import ID_OPTIONS
from medkd.configs.values import fits
from medkd.io.paths import PathLike

from .datalist import FILE_NAME, read_datalist

__all__ = ["data_classes", "data_values", "dataset_property"]

# property -> option of the same kind
_OPTIONS = {"image_size_2d": "image_size", "patch_3d": "patch_size", "spacing_3d": "spacing"}


def dataset_property(dataset_dir: PathLike, name: str, default: Any = ...) -> Any:
    """Return one key of ``datalist.json``, such as ``"labels"`` or ``"window"``.

    Args:
        dataset_dir: folder of the prepared data set.
        name: the key.
        default: returned for a data set that was prepared without that key.

    Raises:
        FileNotFoundError: no such data set.
        ValueError: a data set that was prepared without that key, if there is no default; a value that is no plain data or of
            another kind.
    """
    datalist = read_datalist(dataset_dir)
    if name not in datalist and default is not ...:
        return default
    if name not in datalist:
        raise ValueError(
            f"{Path(dataset_dir) / FILE_NAME}: found a data set of {datalist.get('name')} without {name!r}, expected one that "
            "`medkd prepare` wrote for the task of this command: prepare it for that task"
        )
    value, place = datalist[name], f"{Path(dataset_dir) / FILE_NAME}: {name}"
    check_plain(value, place)
    option = ID_OPTIONS.get(_OPTIONS.get(name, name))
    if name == "per_case":
        is_of_kind = all(type(flag) is bool for flag in (value if isinstance(value, list) else [value]))
    else:
        is_of_kind = option is None or fits(value, None, option)
    if value is not None and not is_of_kind:
        raise ValueError(f"{place}: found {value!r:.60}, expected what `medkd prepare` proposes")
    return value


def data_values(dataset_dir: PathLike, target: str = "all") -> dict[int, int]:
    """Return stored label value -> class of a data set.

    Args:
        dataset_dir: folder of the prepared data set.
        target: ``"all"`` labels, or the name of one label, which becomes class 1.

    Raises:
        ValueError: for a name that no label of the data set has.
    """
    labels = {int(value): name for value, name in dataset_property(dataset_dir, "labels").items()}
    names = [name for value, name in labels.items() if value > 0]
    if target != "all" and target not in names:
        raise ValueError(f"--target {target!r} is unknown, expected all or one of {', '.join(names)}")
    return {value: value if target == "all" else int(value > 0 and name == target) for value, name in labels.items()}


def data_classes(dataset_dir: PathLike, target: str = "all") -> dict[int, str]:
    """Return class -> name of the foreground classes of `data_values`."""
    labels = dataset_property(dataset_dir, "labels")
    return {number: labels[str(value)] for value, number in data_values(dataset_dir, target).items() if number > 0}
