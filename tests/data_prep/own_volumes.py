"""A user's own volumes: CT and MR with two label values, their folders, and their preparation."""

import re

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from medkd.cli.main import main
from medkd.data import SPLITS, load_datalist
from medkd.data_prep import nifti

SHAPE = (20, 24, 6)
CT = np.diag([-0.8, -0.8, 3.0, 1.0])
PROGRESS = re.compile(r"case/s\]|\?case")


def make_ct(seed=0):
    """Return soft tissue around 40 HU in air, with a brighter block as value 1 and a small one as value 2."""
    label = np.zeros(SHAPE, np.uint8)
    label[6:12, 6:12, 1:4], label[14:16, 8:12, 2:4] = 1, 2
    image = np.random.default_rng(seed).normal(40, 5, SHAPE) + 60 * label
    image[:3] = -1000
    return np.rint(image).astype(np.int16), label


def make_mr(seed=0):
    """Return image and label as in `make_ct`, on a scale that differs between cases."""
    image, label = make_ct(seed)
    return ((image + 1000) * (1 + seed) * 0.37).astype(np.float32), label


def save(path, array, affine=CT):
    """Write an array in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith((".nii", ".nii.gz")):
        nib.save(nib.Nifti1Image(array, affine), path)
        return
    lps = np.diag([-1, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image = sitk.GetImageFromArray(array.T)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    sitk.WriteImage(image, str(path))


def write_folders(root, count=5, make=make_ct, **odd):
    """Write images and labels c0, c1, ...; ``odd``: arrays or affines that replace those of c1."""
    for number in range(count):
        image, label = make(number)
        replaced = odd if number == 1 else {}
        affine = replaced.get("affine", CT)
        label_affine = replaced.get("label_affine", affine)
        save(root / f"images/c{number}.nii.gz", replaced.get("image", image), affine)
        save(root / f"labels/c{number}.nii.gz", replaced.get("label", label), label_affine)
    return {"images": root / "images", "labels": root / "labels"}


def prepare(root, target="out", **options):
    """Prepare the two folders below ``root`` with the split ``sorted``."""
    arguments = {"images": root / "images", "labels": root / "labels", "split": "sorted", **options}
    return nifti.prepare(target=root / target, **arguments)


def entries(folder):
    """Return case -> entry of all splits of a data list."""
    return {entry["case"]: entry for split in SPLITS for entry in load_datalist(folder, split)}


def nan_case():
    """Return the arrays of a case with a NaN voxel."""
    image = make_ct(1)[0].astype(np.float32)
    image[0, 0, 0] = np.nan
    return {"image": image}


def write_table(root, text):
    """Write a table of patients and return its path."""
    (root / "patients.csv").write_text(text, encoding="utf-8")
    return root / "patients.csv"


def only_line(capsys):
    """Return the error, after the check that nothing but it and progress bars was written."""
    text = capsys.readouterr().err
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip() and not PROGRESS.search(line)]
    assert len(lines) == 1, text
    assert lines[0].startswith("medkd: error: ")
    return lines[0]


def run_command(root, *options):
    """Run ``medkd prepare nifti`` and return its exit status."""
    words = ["--images", root / "images", "--labels", root / "labels", "--dataset_dir", root / "out", *options]
    return main(["prepare", "nifti", *map(str, words)])


def touch(folder, *names):
    """Create empty files; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder
