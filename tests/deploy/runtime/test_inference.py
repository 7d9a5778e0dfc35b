"""An exported model gives files equal to those of `medkd infer` with torch."""

import csv
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from medkd.cli.main import main
from medkd.deploy.runtime import OnnxModel, infer, inference
from medkd.io import read_volume
from medkd.phantoms import write_dicom
from medkd.runs.predicted import PredictedCases

ROOT = Path(__file__).parents[3]


def rotation(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


GRIDS = {
    "RAS": (np.diag([0.7, 0.8, 3.0]), (45, 40, 12)),
    "flipped": (np.diag([-0.7, -0.8, -3.0]), (33, 50, 9)),
    "oblique": (rotation(20) @ np.diag([0.9, 0.8, 3.0]), (40, 36, 20)),
    "transposed": (np.array([[0, 0, -0.7], [0, -0.7, 0], [-5.0, 0, 0]]), (7, 40, 60)),
    "small": (np.diag([2.0, 2.0, 5.0]), (11, 9, 3)),
    "coronal": (np.array([[-0.9, 0, 0], [0, 0, 4.0], [0, -0.9, 0]]), (40, 64, 10)),
}


def scan(path, grid, shape, slope=None):
    smooth = np.random.default_rng(len(path.name)).normal(size=[n // 3 + 2 for n in shape])
    array = np.kron(smooth, np.ones((3, 3, 3)))[tuple(map(slice, shape))] * 200
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = grid, (-11.3, 7.77, 123.456)
    image = nib.Nifti1Image(array.astype(np.int16), affine)
    image.header.set_xyzt_units("mm")
    if slope:
        image.header.set_slope_inter(slope, -20)
    nib.save(image, path)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, cvc_data):
    folders = {kind: tmp_path_factory.mktemp("in") / kind for kind in ("scans", "pictures")}
    for folder in folders.values():
        folder.mkdir()
    for name, (grid, shape) in GRIDS.items():
        scan(folders["scans"] / f"{name}.nii.gz", grid, shape)
    scan(folders["scans"] / "scaled.nii.gz", *GRIDS["RAS"], slope=1.5)
    for file in sorted((cvc_data).rglob("*.png"))[:2]:
        shutil.copy(file, folders["pictures"] / f"{file.parent.name}_{file.name}")
    noise = np.random.default_rng(0).integers(0, 255, (70, 33, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folders["pictures"] / "noise.png")
    Image.fromarray(noise[..., 0]).save(folders["pictures"] / "grey.bmp")
    Image.fromarray(noise[..., 0].astype(np.uint16) * 257).save(folders["pictures"] / "grey16.png")  # the same picture
    Image.fromarray(noise).convert("RGBA").save(folders["pictures"] / "noise_alpha.png")
    return folders


@pytest.fixture(scope="module")
def both(students, exported, inputs, tmp_path_factory):
    """Kind of input -> folders of predictions by torch and by ONNX Runtime."""

    def run(kind):
        task, model, _ = students[kind]
        source = inputs["pictures" if kind == "pictures" else "scans"]
        out = tmp_path_factory.mktemp("out")
        common = ["--input", source, "--save_probabilities", "True", "--device", "cpu", "--min_volume", "0.002"]
        words = ["infer", task, "--model", model, "--output_dir", out / "torch", *common]
        assert main([*map(str, words)]) == 0
        words = ["infer", "--model", exported[kind], "--output_dir", out / "onnx", *common]
        assert main([*map(str, words)]) == 0
        return out / "torch", out / "onnx"

    return run


def assert_same_volumes(by_torch, by_onnx):
    """Check both files volumes.csv: equal but for ties, with the numbers of voxels in the predictions; return the removed."""
    tables = [[*csv.reader((folder / "volumes.csv").open())] for folder in (by_torch, by_onnx)]
    assert tables[0][0] == tables[1][0] and len(tables[0]) == len(tables[1]) > 2
    for one, other in zip(tables[0][1:], tables[1][1:], strict=True):
        assert one[:2] == other[:2] and abs(int(one[-2]) - int(other[-2])) <= 2
        scan, picture = by_torch / f"{one[0]}.nii.gz", by_torch / f"{one[0]}.png"
        labels = nib.load(scan).dataobj if scan.is_file() else Image.open(picture)
        assert int(one[-2]) == np.count_nonzero(labels)
    return [int(row[-1]) for row in tables[0][1:]]


@pytest.mark.parametrize("kind", ["slices", "volumes"])
def test_scans(both, kind):
    by_torch, by_onnx = both(kind)
    assert sorted(file.name for file in by_torch.iterdir()) == sorted(file.name for file in by_onnx.iterdir())
    assert any(assert_same_volumes(by_torch, by_onnx)) or kind == "slices"
    foreground = 0
    for file in sorted(by_torch.glob("*_probabilities.nii.gz")):
        name = file.name.replace("_probabilities", "")
        one, other = nib.load(file), nib.load(by_onnx / file.name)
        np.testing.assert_allclose(other.dataobj, one.dataobj, atol=1e-5)
        labels, found = nib.load(by_torch / name), nib.load(by_onnx / name)
        assert found.header.binaryblock == labels.header.binaryblock
        assert np.array_equal(found.affine, labels.affine) and found.get_data_dtype() == np.uint8
        differing = np.asarray(labels.dataobj) != np.asarray(found.dataobj)
        # but for near ties: two-class probabilities closer to a half than both computations are to each other
        assert np.all(np.abs(np.asarray(one.dataobj)[differing] - 0.5) < 1e-5)
        foreground += int(np.asarray(found.dataobj).sum())
    assert foreground > 0  # else nothing was compared


def test_pictures(both):
    by_torch, by_onnx = both("pictures")
    assert not any(assert_same_volumes(by_torch, by_onnx))  # a pixel is more than --min_volume
    names = sorted(file.name for file in by_torch.glob("*.png"))
    assert names == sorted(file.name for file in by_onnx.glob("*.png")) and len(names) == 12
    shares = []
    for name in names:
        one, other = (np.asarray(Image.open(folder / name)) for folder in (by_torch, by_onnx))
        assert one.shape == other.shape
        if name.endswith("_probabilities.png"):
            assert np.abs(one.astype(int) - other).max() <= 1  # of 255: rounding
        else:
            assert (one != other).sum() <= 1
            shares.append((one > 0).mean())
    assert 0 < sum(shares) < len(shares)  # else nothing was compared
    for name, same in (("grey", "grey16"), ("noise", "noise_alpha")):
        one, other = (np.asarray(Image.open(by_onnx / f"{n}_probabilities.png")) for n in (name, same))
        assert np.array_equal(one, other) and one.min() < one.max()


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_an_interrupted_inference_goes_on(runtime, students, exported, inputs, tmp_path, capfd, monkeypatch):
    task, model, _ = students["pictures"]
    words = ["infer", task, "--model", model, "--device", "cpu"]
    if runtime == "onnx":
        words = ["infer", "--model", exported["pictures"]]
    words = [*map(str, [*words, "--input", inputs["pictures"], "--output_dir", tmp_path / "out"])]
    add, added = PredictedCases.add, []

    def interrupted(self, case, image):
        if added:
            raise KeyboardInterrupt
        added.append(case)
        add(self, case, image)

    with monkeypatch.context() as patch:
        patch.setattr(PredictedCases, "add", interrupted)
        assert main(words) == 130
    assert "the same command continues" in capfd.readouterr().err
    assert main([*words, "--save_probabilities", "True"]) in (1, 2)
    assert "holds predictions of another model or of other options" in capfd.readouterr().err
    assert main(words) == 0
    output = capfd.readouterr().out
    assert "predicted 1 of 6 cases: they are skipped" in output and output.count(": done") == 5
    cases = sorted(path.stem for path in inputs["pictures"].iterdir())
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == sorted([*cases, "volumes"])
    assert sorted(row[0] for row in csv.reader((tmp_path / "out/volumes.csv").open())) == sorted([*cases, "case"])
    assert main(words) in (1, 2)
    assert "is there already: choose another folder" in capfd.readouterr().err


CODE = """
import sys
from importlib.metadata import packages_distributions
wanted, distributions, finders = set(sys.argv.pop(1).split(",")), packages_distributions(), [*sys.meta_path]

class Installed:
    def find_spec(name, path=None, target=None):
        if wanted.intersection(distributions.get(name.partition(".")[0], wanted)):
            return next(filter(None, (finder.find_spec(name, path, target) for finder in finders)), None)

sys.meta_path[:] = [Installed]
from medkd.cli.main import main
from medkd.deploy.runtime import OnnxModel, infer, inference
code = main(sys.argv[1:])
assert not {n for n, module in sys.modules.items() if module and n.split(".")[0] in ("torch", "monai", "ignite")}
sys.exit(code)
"""


def required(names):
    """Return the normalised names of distributions and of all that they require."""
    found, waiting = set(), [*names]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found.add(name)
            needed = map(Requirement, metadata.requires(name) or [])
            waiting += [r.name for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]
    return found


@pytest.mark.parametrize(("kind", "how"), [("slices", "listed"), ("volumes", "open"), ("pictures", "listed")])
def test_the_packages_that_the_page_names_are_enough_and_no_torch_is_imported(exported, inputs, tmp_path, kind, how):
    page = (ROOT / "docs/how-to/export.md").read_text()
    listed = re.search(r"`pip install ([^`]*) && pip install --no-deps \.`", page)[1].split()
    assert "torch" not in listed and "monai" not in listed
    allowed = {"medkd", *required(listed)}
    names = {canonicalize_name(d.name): d.name for d in metadata.distributions()}
    source = inputs["pictures" if kind == "pictures" else "scans"]
    words = ["infer", "--model", exported[kind], "--input", source, "--output_dir", tmp_path / "out", "--threads", "1"]
    only = ",".join(names[name] for name in (allowed if how == "listed" else names) if name in names)
    done = subprocess.run([sys.executable, "-c", CODE, only, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": done") == len(list(source.iterdir())) == len(list((tmp_path / "out").glob("*.*g*")))


def test_what_needs_more_than_these_packages_says_so(tmp_path):
    code = "import sys; sys.modules['yaml'] = None; from medkd.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = ["infer", "kits19", "--model", "RUN", "--input", "x", "--output_dir", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode in (1, 2)
    assert done.stderr == "medkd: error: yaml is not installed: pip install -e . in the clone of medkd\n"


def test_a_bad_file_is_named_and_the_others_are_done(exported, inputs, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(inputs["scans"] / "RAS.nii.gz", folder / "good.nii.gz")
    (folder / "bad.nii.gz").write_bytes((folder / "good.nii.gz").read_bytes()[:300])
    array = np.zeros((5, 6, 7), np.float32)
    array[0, 0, 0] = np.nan
    nib.save(nib.Nifti1Image(array, np.eye(4)), folder / "nan.nii.gz")
    words = ["infer", "--model", exported["slices"], "--input", folder, "--output_dir", tmp_path / "out"]
    assert main([*map(str, words)]) in (1, 2)
    shown = capsys.readouterr()
    files = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert files == ["good.nii.gz", "itksnap_labels.txt", "volumes.csv"]
    assert "good.nii.gz: done" in shown.out
    bad, nan, last = shown.err.strip().splitlines()
    assert "bad.nii.gz is unreadable or truncated" in bad and "1 voxel with NaN" in nan
    assert last == "medkd: error: 2 of 3 cases failed: bad, nan"


@pytest.mark.parametrize("kind", ["slices", "volumes"])
def test_every_format_has_the_same_labels(exported, inputs, tmp_path, kind, capsys):
    highdicom = pytest.importorskip("highdicom")
    array, affine, _ = read_volume(inputs["scans"] / "oblique.nii.gz")
    write_dicom(tmp_path / "in/case", array, affine @ np.diag([1, 1, -1, 1]))
    words = ["infer", "--model", exported[kind], "--input", tmp_path / "in"]
    for name in ("nifti", "seg.nrrd", "dicom-seg"):
        assert main([*map(str, [*words, "--output_dir", tmp_path / name, "--format", name])]) == 0
    nifti = read_volume(tmp_path / "nifti/case.nii.gz")
    segmentation = read_volume(tmp_path / "seg.nrrd/case.seg.nrrd")
    np.testing.assert_array_equal(segmentation.array, nifti.array)
    np.testing.assert_allclose(segmentation.affine, nifti.affine, atol=1e-4)
    volume = highdicom.seg.segread(tmp_path / "dicom-seg/case.dcm").get_volume(combine_segments=True)
    # its axes are slices, rows, columns, and its mm are LPS
    to_nifti = np.linalg.inv(nifti.affine) @ np.diag([-1, -1, 1, 1]) @ volume.affine
    indices = to_nifti[:3] @ np.vstack([np.indices(volume.array.shape).reshape(3, -1), np.ones(volume.array.size)])
    np.testing.assert_allclose(indices, indices.round(), atol=1e-4)
    np.testing.assert_array_equal(nifti.array[tuple(indices.round().astype(int))], volume.array.ravel())
    assert set(np.unique(volume.array)) >= {0, 1}
    words[-1] = tmp_path / "nifti"
    assert main([*map(str, [*words, "--output_dir", tmp_path / "no", "--format", "dicom-seg"])]) in (1, 2)
    assert "found no DICOM series (case.nii.gz), expected one with --format dicom-seg" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("value", [0, 1])
def test_background_in_all_predictions_is_noted(exported, inputs, tmp_path, capsys, monkeypatch, value):
    def predict(path, model):
        return np.full((1, 4, 4), value, dtype=np.uint8), np.zeros((1, 4, 4)), None

    monkeypatch.setattr("medkd.deploy.runtime.inference.predict_picture", predict)
    folder = tmp_path / "frames"
    folder.mkdir()
    Image.new("RGB", (4, 4)).save(folder / "a.png")
    infer(OnnxModel(exported["pictures"]), folder, tmp_path / "out")
    assert ("note: all is background in every prediction" in capsys.readouterr().out) == (value == 0)


@pytest.mark.parametrize("fault", ["Ctrl-C", "a defect", "a full disk"])
def test_a_fault_of_the_third_case_leaves_the_two_before(exported, inputs, tmp_path, capfd, monkeypatch, fault):
    for name in "abcd":
        (tmp_path / "in").mkdir(exist_ok=True)
        shutil.copy(inputs["scans"] / "small.nii.gz", tmp_path / f"in/{name}.nii.gz")
    words = ["infer", "--model", str(exported["slices"]), "--input", str(tmp_path / "in")]
    # a runtime that is chosen by its speed would be measured by calls of its own
    words += ["--output_dir", str(tmp_path / "out"), "--runtime", "onnxruntime"]
    predict, write, calls = OnnxModel.__call__, inference.write_prediction, []

    def predict_or_fail(self, images):
        calls.append(1)
        if len(calls) == 3:  # a scan of three slices is one batch
            raise {"Ctrl-C": KeyboardInterrupt, "a defect": KeyError}[fault]("stopped")
        return predict(self, images)

    def write_or_fail(array, folder, case, *others):
        if case == "c":
            raise OSError(28, "No space left on device", "c.nii.gz")
        return write(array, folder, case, *others)

    with monkeypatch.context() as patch:
        if fault == "a full disk":
            patch.setattr(inference, "write_prediction", write_or_fail)
        else:
            patch.setattr(OnnxModel, "__call__", predict_or_fail)
        if fault == "a defect":
            with pytest.raises(KeyError):
                main(words)
        else:
            assert main(words) == (130 if fault == "Ctrl-C" else 1)
    assert [line for line in capfd.readouterr().out.splitlines() if line.endswith("done")] == [
        f"{tmp_path}/in/{name}.nii.gz: done" for name in "ab"
    ]
    files = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert files == [".predicted.jsonl", "a.nii.gz", "b.nii.gz", "itksnap_labels.txt", "volumes.csv"]
    assert main(words) == 0
    shown = capfd.readouterr().out
    assert "predicted 2 of 4 cases: they are skipped" in shown and shown.count(": done") == 2
    images = [np.asarray(nib.load(tmp_path / f"out/{name}.nii.gz").dataobj) for name in "abcd"]
    assert all(np.array_equal(image, images[0]) for image in images)
