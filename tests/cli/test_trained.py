"""Options that the record of a model fills."""

import zipfile

import pytest
import yaml

from medkd.cli.main import main
from medkd.cli.trained import check_path, options_from_record, role_of_model, task_of_model


@pytest.fixture
def run(tmp_path):
    (tmp_path / "model.pt").touch()
    record = {"bundle_root": "bundles/nifti", "overlap": 0.25, "trained_with": {"mode": "3d", "spacing": None}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(record))
    return str(tmp_path)


def test_volumes_are_evaluated_with_the_overlap_of_their_training(run):
    options, mode = options_from_record("evaluate", "nifti", {"model": run}, None)
    assert mode == "3d" and options == {"model": run, "spacing": "$None", "overlap": 0.25}
    options, _ = options_from_record("evaluate", "nifti", {"model": run, "overlap": 0}, None)
    assert options["overlap"] == 0


def test_model_of_another_task_is_refused(run):
    with pytest.raises(ValueError, match="found a model of the task nifti, expected one of kits19"):
        options_from_record("infer", "kits19", {"model": run}, None)
    with pytest.raises(FileNotFoundError, match="--model gone: no such file or folder"):
        options_from_record("infer", "nifti", {"model": "gone"}, None)


def test_task_stands_in_the_record(run, tmp_path):
    assert task_of_model(run) == task_of_model(f"{run}/model.pt") == task_of_model([run, "other"]) == "nifti"
    assert (
        task_of_model(str(tmp_path.parent / "gone/run")) is None
        and task_of_model(None) is None
        and task_of_model(3) is None
    )


@pytest.mark.parametrize("method", ["teacher", "boundary_assistant", "kd"])
def test_role_stands_in_the_record(run, method, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"bundle_root": "bundles/nifti", "method": method}))
    role = "student" if method == "kd" else method
    assert role_of_model("infer", {"model": run}, None) == role_of_model("evaluate", {"output_dir": run}, role) == role
    other = "student" if role == "teacher" else "teacher"
    with pytest.raises(ValueError, match=f"--role {other}: found the run of a .* in --model .*: leave --role out"):
        role_of_model("infer", {"model": run}, other)


def test_role_of_a_model_without_a_record_is_that_of_the_command(tmp_path):
    (tmp_path / "weights.pt").touch()
    for role in ("teacher", None):
        assert role_of_model("infer", {"model": str(tmp_path / "weights.pt")}, role) == (role or "student")


def archive(path, *names):
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, "{}")


MAKE = {
    "a TorchScript file": lambda path: archive(path, "t/data.pkl", "t/code/x.py", "t/constants.pkl"),
    "a MONAI bundle": lambda path: archive(path, "b/configs/inference.json"),
    "an ONNX file": lambda path: path.write_bytes(b"\x08\x07\x12\x07pytorch"),
    "an HTML page": lambda path: path.write_text("<html>"),
    "a Git LFS pointer": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1"),
    "a file of PyTorch": lambda path: archive(path, "m/data.pkl"),
}
TAKEN = {"model": {"a file of PyTorch"}, "teacher": {"a file of PyTorch", "a TorchScript file", "a MONAI bundle"}}


@pytest.mark.parametrize("option", TAKEN)
@pytest.mark.parametrize("kind", MAKE)
def test_files_of_another_kind_are_told_with_what_to_do(tmp_path, option, kind):
    path = tmp_path / ("student.onnx" if "ONNX" in kind else "student.ts")
    MAKE[kind](path)
    if kind in TAKEN[option]:
        return check_path(str(path), option)
    with pytest.raises(ValueError, match=f"--{option} .*student.*: found {kind}.*, expected .* run.*: .*") as caught:
        check_path(str(path), option)
    assert "\n" not in str(caught.value)


def test_a_folder_of_a_packed_bundle_is_no_model(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/inference.json").write_text("{}")
    with pytest.raises(
        ValueError, match="found a MONAI bundle, expected the folder of a run .*: give the run that it was"
    ):
        check_path(str(tmp_path), "model")
    check_path(str(tmp_path), "teacher")


@pytest.mark.parametrize("verb", ["export", "pack", "evaluate"])
@pytest.mark.parametrize("name", ["x.ts", "x.zip", "bundle", "x.onnx"])
def test_commands_that_need_a_run_say_what_was_given(tmp_path, capsys, verb, name):
    path = tmp_path / name
    (tmp_path / "bundle/configs").mkdir(parents=True)
    (tmp_path / "bundle/configs/inference.json").write_text("{}")
    archive(tmp_path / "x.ts", "t/data.pkl", "t/code/x.py", "t/constants.pkl")
    archive(tmp_path / "x.zip", "b/configs/inference.json")
    (tmp_path / "x.onnx").write_bytes(b"\x08\x07\x12\x07pytorch")
    kind = {"x.ts": "a TorchScript file", "x.onnx": "an ONNX file"}.get(name, "a MONAI bundle")
    words = ["--model", str(path), "--output_dir", str(tmp_path / "o")]
    words += [] if verb == "pack" else ["--dataset_dir", str(tmp_path)]
    words += ["--format", "onnx"] if verb == "export" else []
    assert main([verb, "kits19", *words]) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert f"--model {path}: found {kind}, expected the folder of a run or its model.pt: " in line
    assert "give the run that it was" in line and not (tmp_path / "o").exists()
