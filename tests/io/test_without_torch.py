"""The formats are read and written where neither torch nor MONAI is installed."""

import subprocess
import sys

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
