"""Prepare the data sets of the plan `desk2`: ``python benchmarks/desk2_data.py SAMPLES OUTPUT``.

SAMPLES holds ``isic2018_256``, ``cvc612``, ``lits_slices``, ``ct_sarcoma`` and ``mr_hippocampus``, each with a folder of images
and one of label maps with the same file names. Half of the training patients (of sarcoma two thirds) keep their labels: the
teacher learns from them, and a student's labelled cases are drawn from them. The images of the others become unlabelled images,
which no teacher has seen.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Names = list[str]
# sequences of CVC-612, first and last frame: half of the published training part; the published validation and test
CVC_LABELLED = [(104, 126), (178, 227), (384, 503)]
CVC_VALIDATION = [(51, 103), (228, 252), (318, 342), (364, 383)]
CVC_TEST = [(1, 25), (127, 177), (343, 363), (504, 528)]


@dataclass(frozen=True)
class Source:
    """Where a data set lies, how it is split, and how it is prepared."""

    folder: str
    images: str
    labels: str
    parts: Callable[[Path, Names], dict[str, Names]]
    """Folder of the source, sorted case names -> names of training, unlabelled, validation and test."""
    command: tuple[str, ...]
    """Words of ``medkd prepare``; {source} is a folder with the images and label maps of the labelled cases."""
    case: Callable[[str], str] = str
    """Name of a file -> name of its case in the data set."""


def main(words: Sequence[str] | None = None) -> None:
    """Prepare the data sets that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--only", nargs="*", choices=SOURCES, default=list(SOURCES))
    arguments = parser.parse_args(words)
    for name in arguments.only:
        if not (arguments.output / name / "datalist.json").is_file():
            _prepare(name, SOURCES[name], arguments.samples, arguments.output)


def _prepare(name: str, source: Source, samples: Path, output: Path) -> None:
    folder, linked = samples.resolve() / source.folder, output.resolve() / "sources" / name
    images = {_case(file): file for file in (folder / source.images).iterdir()}
    labels = {_case(file): file for file in (folder / source.labels).iterdir()}
    parts = source.parts(folder, sorted(images))
    unlabelled = parts.pop("unlabelled")
    for kind, cases, files in (
        (source.images, sum(parts.values(), []), images),
        (source.labels, sum(parts.values(), []), labels),
        ("unlabelled", unlabelled, images),
    ):
        (linked / kind).mkdir(parents=True, exist_ok=True)
        for case in cases:
            link = linked / kind / files[case].name
            link.exists() or link.symlink_to(files[case])
    split = linked / "split.json"
    split.write_text(json.dumps({part: [source.case(name) for name in cases] for part, cases in parts.items()}))
    command = [word.format(source=linked) for word in source.command]
    command += ["--split", str(split), "--unlabelled", str(linked / "unlabelled"), "--dataset_dir", str(output / name)]
    subprocess.run([sys.executable, "-m", "medkd", "prepare", *command], check=True)


def _case(file: Path) -> str:
    return file.name.split(".")[0].removesuffix("_segmentation")


def _isic(_: Path, names: Names) -> dict[str, Names]:
    """Return a split by the order of names: 600, 600, 200 and the rest."""
    return {
        "training": names[:600],
        "unlabelled": names[600:1200],
        "validation": names[1200:1400],
        "test": names[1400:],
    }


def _cvc(_: Path, names: Names) -> dict[str, Names]:
    """Return the published split, the training part halved by sequences."""

    def within(sequences: list[tuple[int, int]]) -> Names:
        return [name for name in names if any(first <= _number(name) <= last for first, last in sequences)]

    parts = {"training": within(CVC_LABELLED), "validation": within(CVC_VALIDATION), "test": within(CVC_TEST)}
    return parts | {"unlabelled": sorted(set(names) - set(sum(parts.values(), [])))}


def _lits(folder: Path, names: Names) -> dict[str, Names]:
    """Return the split of the samples by patients; every other training patient is unlabelled."""
    parts: dict[str, Names] = json.loads((folder / "split.json").read_text())
    training, unlabelled = _halves(parts["training"], lambda name: name.split("_slice")[0])
    return parts | {"training": training, "unlabelled": unlabelled}


def _sarcoma(_: Path, names: Names) -> dict[str, Names]:
    """Return a split by the order of names: 10 patients for training, 5 unlabelled, 2 for validation, 5 for the test."""
    return {"training": names[:10], "unlabelled": names[10:15], "validation": names[15:17], "test": names[17:]}


def _hippocampus(_: Path, names: Names) -> dict[str, Names]:
    """Return a split by the order of names: 20, 20, 5 and the rest; each case is a patient."""
    return {"training": names[:20], "unlabelled": names[20:40], "validation": names[40:45], "test": names[45:]}


def _halves(names: Names, patient: Callable[[str], str]) -> tuple[Names, Names]:
    first = set(sorted({patient(name) for name in names})[::2])
    return [name for name in names if patient(name) in first], [name for name in names if patient(name) not in first]


def _number(name: str) -> int:
    return int(re.findall(r"\d+", name)[-1])


SOURCES = {
    "isic2018": Source("isic2018_256", "images", "masks", _isic, ("isic2018", "--source", "{source}")),
    "cvc_endoscene": Source(
        "cvc612", "images", "masks", _cvc, ("cvc_endoscene", "--source", "{source}"), "cvc612_{:0>3}".format
    ),
    "lits_slices": Source(
        "lits_slices",
        "images",
        "masks",
        _lits,
        ("pictures", "--images", "{source}/images", "--labels", "{source}/masks", "--classes", "liver"),
    ),
    "sarcoma": Source(
        "ct_sarcoma",
        "imagesTr",
        "labelsTr",
        _sarcoma,
        ("nifti", "--images", "{source}/imagesTr", "--labels", "{source}/labelsTr", "--classes", "tumour"),
    ),
    "hippocampus": Source(
        "mr_hippocampus",
        "imagesTr",
        "labelsTr",
        _hippocampus,
        ("nifti", "--images", "{source}/imagesTr", "--labels", "{source}/labelsTr", "--classes", "anterior,posterior"),
    ),
}

if __name__ == "__main__":
    main()
