"""The file ``dataset.json`` of an nnU-Net data set or a Decathlon task: where it lies, and its content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medkd.data import SPLITS
from medkd.data.splits import read_json
from medkd.io import is_hidden

from ._cases import require_source

__all__ = ["FILE_NAME", "LISTS", "find_dataset_json", "list_of", "read_dataset_json"]

FILE_NAME = "dataset.json"
# split -> names of its list: the Decathlon's, and those that MONAI's programs write.
LISTS = {"training": ("training", "train"), "validation": ("validation", "val"), "test": ("test", "testing")}
# Files that nnU-Net writes into a folder of nnUNet_preprocessed.
PREPROCESSED = ("gt_segmentations", "dataset_fingerprint.json", "splits_final.json", "splits_final.pkl")


def find_dataset_json(source: Path) -> Path:
    """Return the path of a source's ``dataset.json``: in the folder, or in the only folder in it that has one.

    Args:
        source: folder of a data set, or the path of the JSON file itself, whatever its name is.

    Raises:
        FileNotFoundError: no such source, or no such file in it.
        NotADirectoryError: another file.
        ValueError: several data sets.
    """
    if source.is_file() and source.suffix.lower() == ".json":
        return source
    require_source(source)
    inner = [path for path in sorted(source.iterdir()) if path.is_dir() and not is_hidden(path)]
    found = [folder / FILE_NAME for folder in (source, *inner) if (folder / FILE_NAME).is_file()]
    if found and (found[0].parent == source or len(found) == 1):
        return found[0]
    if found:
        names = ", ".join(path.parent.name for path in found)
        raise ValueError(f"--source {source}: found {len(found)} data sets ({names}), expected one of their folders")
    raise FileNotFoundError(f"--source {source}: no {FILE_NAME} in it{_advice(source)}")


def _advice(source: Path) -> str:
    if (source / "datalist.json").is_file():
        return "; it holds a data set that is prepared already (datalist.json): name it as --dataset_dir to train"
    if any((source / name).exists() for name in PREPROCESSED):
        return ", it looks like a folder of nnUNet_preprocessed: give that of nnUNet_raw"
    lists = [path for path in sorted(source.glob("*.json")) if not is_hidden(path)]
    if lists:
        return f": is it {', '.join(path.name for path in lists[:3])}? Name the file itself, --source {lists[0]}"
    if (source / "imagesTr").is_dir() and (source / "labelsTr").is_dir():
        return f": name the folders, --images {source / 'imagesTr'} --labels {source / 'labelsTr'}"
    return ", expected a data set of nnU-Net or a task of the Decathlon; plain folders: --images and --labels"


def read_dataset_json(path: Path) -> dict[str, Any]:
    """Return the content of a ``dataset.json``.

    Raises:
        ValueError: for no JSON object, or one that describes no cases, classes or channels.
    """
    content = read_json(path)
    known = {"labels", "channel_names", "modality", "dataset", *sum(LISTS.values(), ())}
    if not known & content.keys():
        found = ", ".join(list(content)[:5]) or "no key"
        raise ValueError(f"{path}: found {found:.80}, expected labels, channel_names or modality, or the list training")
    return content


def list_of(content: Mapping[str, Any], split: str, path: Path) -> list[Any]:
    """Return the list of a split, empty where there is none.

    Raises:
        ValueError: for two lists of one split, or another value than a list.
    """
    assert split in SPLITS
    names = [name for name in LISTS[split] if name in content]
    if len(names) > 1:
        raise ValueError(f"{path}: found the lists {' and '.join(names)}, expected one of them")
    value = content[names[0]] if names else None
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{path}: {names[0]}: found {str(value)[:60]}, expected a list of cases")
    return value or []
