"""The formats are read and written where neither torch nor MONAI is installed."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from medkd.io import read_picture

CODE = """
import sys
sys.modules["torch"] = sys.modules["monai"] = None      # an import raises
import pathlib
import nibabel as nib
import numpy as np
from medkd import io

folder = pathlib.Path(sys.argv[1])
affine = np.diag([0.7, 0.8, 3.0, 1])
nib.save(nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), affine), folder / "a.nii.gz")
(item,) = io.find_images(folder, io.VOLUMES, folder / "out")
array, affine = io.read_volume_file(pathlib.Path(item["image"]))
whole = io.normalise_case(array, per_case=False)
io.write_prediction((whole > 11).astype(np.uint8)[None], folder / "out", item["case"], item["image"], affine)
written = nib.load(folder / "out/a.nii.gz")
assert np.array_equal(written.dataobj, array > 11) and np.array_equal(written.affine, nib.load(item["image"]).affine)
assert not {name for name, module in sys.modules.items() if module and name.split(".")[0] in ("torch", "monai")}
"""


def test_a_volume_goes_in_and_out_without_torch_and_monai(tmp_path):
    done = subprocess.run([sys.executable, "-c", CODE, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pictures_of_16_bit_keep_their_contrast(tmp_path, suffix):
    grey = np.arange(256, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(grey * 257).save(tmp_path / f"deep{suffix}")
    found = read_picture(tmp_path / f"deep{suffix}")
    assert found.dtype == np.uint8 and np.array_equal(found, np.stack([grey] * 3))


def test_pictures_whose_range_nobody_knows_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(ValueError, match="mode F"):
        read_picture(tmp_path / "float.tif")


def test_a_picture_too_large_to_be_one_is_an_input_error(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match="bomb.png is unreadable .*exceeds limit of 200 pixels"):
        read_picture(tmp_path / "bomb.png")
