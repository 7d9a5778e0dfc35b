"""`medkd infer` without MONAI writes the files that MONAI's workflow writes, and takes no command that it cannot do."""

import nibabel as nib
import numpy as np
import pytest

from medkd.cli import direct_inference
from medkd.cli.direct_inference import is_direct
from medkd.cli.main import main
from medkd.cli.workflow import compose
from medkd.configs.bundles import BUNDLES
from tests.deploy.runtime.test_inference import GRIDS, scan
from tests.test_startup import imported_by_command

KINDS = ["slices", "volumes", "pictures"]


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    for name in ("RAS", "oblique", "small"):
        scan(folder / f"{name}.nii.gz", *GRIDS[name])
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_it_writes_the_files_of_monais_workflow(students, scans, tmp_path, monkeypatch, capsys, kind):
    task, model, data = students[kind]
    source = sorted(data.rglob("*.png"))[0] if kind == "pictures" else scans
    words = ["--model", model, "--input", source, "--largest_component", "True", "--save_probabilities", "True"]
    printed = {}
    for name, is_used in {"direct": is_direct, "monai": lambda run: False}.items():
        monkeypatch.setattr(direct_inference, "is_direct", is_used)
        assert main(["infer", task, *map(str, words), "--device", "cpu", "--output_dir", str(tmp_path / name)]) == 0
        printed[name] = capsys.readouterr().out.replace(str(tmp_path / name), "OUT")
    assert printed["direct"] == printed["monai"]
    names = {path.name for path in (tmp_path / "monai").iterdir()}
    assert names == {path.name for path in (tmp_path / "direct").iterdir()} and len(names) > 2
    for name in names:
        ours, theirs = tmp_path / "direct" / name, tmp_path / "monai" / name
        if "probabilities" in name and ours.name.endswith(".nii.gz"):  # sums in another order
            ours, theirs = nib.load(ours), nib.load(theirs)
            np.testing.assert_allclose(np.asarray(ours.dataobj), np.asarray(theirs.dataobj), atol=1e-6)
            assert np.array_equal(ours.affine, theirs.affine)
        else:
            assert ours.read_bytes() == theirs.read_bytes(), name


@pytest.mark.parametrize("kind", KINDS)
def test_monai_is_not_imported(students, scans, tmp_path, kind):
    task, model, data = students[kind]
    source = sorted(data.rglob("*.png"))[0] if kind == "pictures" else scans / "small.nii.gz"
    words = ["--model", model, "--input", source, "--device", "cpu", "--output_dir", tmp_path / "out"]
    modules = imported_by_command("infer", task, *words)
    assert "torch" in modules and not modules & {"monai", "ignite", "matplotlib", "skimage", "mlflow", "pandas"}


def test_which_commands_it_does(tmp_path):
    options = {"model": "M", "input": "I", "output_dir": "O", "window": [-200, 300], "device": "cpu"}
    assert is_direct(compose("infer", "kits19", options))
    assert is_direct(compose("infer", "nifti", {**options, "spacing": "$None", "patch_size": [16, 16, 16]}, mode="3d"))
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("image_size: [96, 96]\n")
    others = [
        compose("infer", "kits19", {**options, "device": "cuda:0"}),
        compose("infer", "kits19", {**options, "evaluator::amp": True}),
        compose("infer", "kits19", {**options, "image_size": "$[64, 64]"}),
        compose("infer", "kits19", options, role="teacher"),
        compose("infer", "kits19", options, overlays=[str(overlay)]),
        compose(
            "infer", "kits19", {**options, "runtime": "compile"}, overlays=[str(BUNDLES / "overlays/runtime.yaml")]
        ),
    ]
    assert not any(map(is_direct, others))
