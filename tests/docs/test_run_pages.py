"""The commands and Python blocks of the pages run, on phantoms and with tiny networks, in one folder for all pages."""

import shlex
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medkd.cli.main import main
from medkd.phantoms import make_kits19, make_pictures, write_dicom

from .pages import PAGES, ROOT, page_name, run_blocks

pytestmark = pytest.mark.slow
FIRST = "docs/get-started/own_scans.md"  # makes DATA, TEACHER, STUDENT and DISTILLED, which other pages read
MADE_BEFORE = {"DATA", "TEACHER", "STUDENT", "DISTILLED"}
KEPT = {"IMAGES", "LABELS", "SCANS", "SERIES", "PICTURES", "MASKS", "EVALUATION", "PREDICTIONS"}
SMALL = {"max_epochs": "1", "teacher_width": "2", "student_width": "2", "device": "cpu", "batch_size": "2"}
SIZES = {"2d": {"image_size": "[32,32]"}, "3d": {"patch_size": "[16,16,16]", "image_size": "[16,16,16]"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with raw phantoms under the names of the pages: IMAGES, LABELS, SCANS, SERIES, PICTURES, MASKS."""
    folder = tmp_path_factory.mktemp("pages")
    make_kits19(folder / "raw", cases=11, size=48, slices=(16, 18))
    for name in ("IMAGES", "LABELS", "SCANS"):
        (folder / name).mkdir()
    cases = sorted((folder / "raw/data").iterdir())
    for case in cases[:5]:
        shutil.copy(case / "imaging.nii.gz", folder / f"IMAGES/{case.name}.nii.gz")
        shutil.copy(case / "segmentation.nii.gz", folder / f"LABELS/{case.name}.nii.gz")
    for case, name in zip(cases[5:], ("case", *(f"scan_{number}" for number in range(5))), strict=True):
        shutil.copy(case / "imaging.nii.gz", folder / f"SCANS/{name}.nii.gz")
    scan = nib.load(folder / "SCANS/case.nii.gz")
    array = np.asarray(scan.dataobj).transpose(2, 1, 0)
    write_dicom(folder / "SERIES/series", array, scan.affine[:, [2, 1, 0, 3]])
    make_pictures(folder / "pictures", cases=10, size=48)
    for old, new in {"images": "PICTURES", "masks": "MASKS", "patients.csv": "patients.csv"}.items():
        (folder / "pictures" / old).rename(folder / new)
    with chdir(folder):
        run_page(ROOT / FIRST, first=True)
    return folder


def shrink(words):
    """Return the words of a command, with tiny networks and one epoch in the place of the defaults."""
    given = {
        word[2:].partition("=")[0]: value
        for word, value in zip(words, [*words[1:], ""], strict=True)
        if word[:2] == "--"
    }
    if words[0] not in ("train", "distill"):
        return words
    small = SMALL | SIZES[given.get("mode", "2d")]
    if "pictures" in words and given.get("role") == "teacher" and "teacher_architecture" not in given:
        small |= {"teacher_architecture": "UNetPlusPlus"}
    if words[words.index("--method") + 1 : words.index("--method") + 2] == ["plckd"] if "--method" in words else False:
        small |= {"false_pixel_assistant::max_epochs": "1", "boundary_assistant::max_epochs": "1"}
    return [*words, *(word for name, value in small.items() if name not in given for word in (f"--{name}", value))]


def run_command(line, first):
    words = shlex.split(line, comments=True)
    if "--output_dir" in words:
        output = Path(words[words.index("--output_dir") + 1])
        if output.exists() and (first or str(output) not in MADE_BEFORE):
            shutil.rmtree(output)  # of another page that uses the same name
    if words[0] == "medkd":
        assert main(shrink(words[1:])) == 0, line
    else:
        subprocess.run([sys.executable if word == "python" else word for word in words], check=True, timeout=300)


def run_page(page, first=False):
    for block in run_blocks(page):
        if block.language == "python":
            exec(compile(block.text, block.page, "exec"), {})
        for line in block.commands:
            run_command(line, first)


@pytest.mark.parametrize("page", [page for page in PAGES if run_blocks(page)], ids=page_name)
def test_page(page, folder, monkeypatch):
    if page_name(page) == FIRST:
        assert all((folder / name).is_dir() for name in MADE_BEFORE), "the fixture ran this page"
        return
    monkeypatch.chdir(folder)
    for path in folder.iterdir():  # of an earlier page
        if path.name not in KEPT | MADE_BEFORE and path.is_dir():
            shutil.rmtree(path)
    kept = {name for name in MADE_BEFORE if page_name(page) == "README.md"}
    if kept:  # README begins from the raw scans, as its reader does
        for name in (*MADE_BEFORE, "EVALUATION", "PREDICTIONS"):
            (folder / name).rename(folder / f"{name}.before")
    try:
        run_page(page)
    finally:
        for name in (*MADE_BEFORE, "EVALUATION", "PREDICTIONS") if kept else ():
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / f"{name}.before").rename(folder / name)
