"""Help, tables and refusals come without torch and MONAI."""

import subprocess
import sys

import pytest

CODE = """
import sys
from medkd.cli.main import main
code = main(sys.argv[1:])
heavy = {"torch", "monai", "ignite", "pandas", "numpy"} & set(sys.modules)
assert not heavy, heavy
sys.exit(code)
"""
FOLDERS = ["--dataset_dir", "D", "--output_dir", "O"]
REFUSED = [
    (["train", "kits19", *FOLDERS, "--max_epoch", "3"], "did you mean --max_epochs?"),
    (["train", "nifti", *FOLDERS, "--train::trainer::clip_nrom", "3"], "did you mean --train::trainer::clip_norm"),
    (["train", "nifti", *FOLDERS, "--network_def::spatial", "3"], "did you mean --network_def::spatial_dims"),
    (
        ["train", "nifti", *FOLDERS, "--network_def::_target_", "medkd.networks.UNet"],
        "--network_def::_target_ medkd.networks.UNet: expected --student_architecture UNet",
    ),
    (
        ["train", "nifti", *FOLDERS, "--network_def::architecture", "ResNetFCN"],
        "--network_def::architecture ResNetFCN: expected --student_architecture ResNetFCN",
    ),
    (
        ["train", "nifti", *FOLDERS, "--network_def::_target_", "monai.networks.nets.UNet"],
        "monai.networks.nets.UNet takes no architecture, width, which the configuration gives: replace the whole",
    ),
    (["train", "kits19"], "needs --dataset_dir, --output_dir"),
    (
        ["train", "kits19", "--max_epoch", "3"],
        "unknown option(s): --max_epoch (did you mean --max_epochs?); medkd train kits19 needs --dataset_dir, --output_dir",
    ),
    (["distill", "kits19", "--output_di", "O", "--method", "plckd", "--teacher::seed", "1"], ": --output_di (did you"),
    (["prepare", "nifti", "--image", "x"], "--image (did you mean --images?); medkd prepare nifti needs --dataset_dir"),
    (["pack", "kits19", "--modl", "x"], "; medkd pack kits19 needs --model"),
    (
        ["experiment", "desk", "--dat", "kits19=K", "--output_dir", "O"],
        "--dat (did you mean --data?); medkd experiment",
    ),
    (["evaluate", "--modle", "x"], "--modle (did you mean --model?); no task either"),
    (["train", "kits19", *FOLDERS, "--config_file", "x"], "--config_file: the verb and the task choose"),
    (["infer", "kits19", "--args_file", "x"], "--args_file: only python -m monai.bundle run reads"),
    (["train", "lits", *FOLDERS, "--max_epochs", "many"], "expected a whole number from 1 on"),
    (["distill", "kits19", *FOLDERS, "--method", "kdd"], "unknown method 'kdd'"),
    (["distill", "kits19", *FOLDERS, "--method_args::wieght", "3"], "method recommended has no argument 'wieght'"),
    (["distill", "isic2018", *FOLDERS, "--method", "plckd", "--teacher::max_epoch", "3"], "did you mean --max_epochs"),
    (["evaluate", "kits19", *FOLDERS, "--model", "nowhere"], "--model nowhere: no such file or folder"),
    (["pack", "kits19", "--model", "nowhere"], "--model nowhere: no such file or folder"),
    (["export", "kits19", "--model", "nowhere"], "needs --dataset_dir, --output_dir, --format"),
    (["report", "--run", "a=nowhere", "--output_dir", "T"], "nowhere: no such folder"),
    (["report", "a", "b"], "medkd report needs --output_dir"),
    (["report", "--run", "a", "--output_dir", "T"], "expected a title and folders"),
    (["report", "--run", "a=b", "c", "--output_dir", "T"], "found run and folders, expected one"),
    (["report", "--runs", "[a]", "--output_dir", "T"], "expected titles and folders"),
    (["report", "--experiment", "E", "--baseline", "a", "--output_dir", "T"], "no effect with --experiment"),
    (["experiment", "--data", "a=b", "--output_dir", "O"], "expected the name of one experiment, or a YAML file"),
    (["experiment", "desk", "--data", "kits19", "--output_dir", "O"], "--data: found 'kits19', expected the form"),
    (["train", "kist19"], "did you mean kits19?"),
    (["trian"], "did you mean train?"),
]
ANSWERED = [
    *(["--version"], ["--help"], ["methods", "--help"], ["train", "--help"], ["train", "nifti", "--help"]),
    *(["prepare", "kits19", "--help"], ["experiment", "--help"], ["layers", "kits19", "--help"]),
]


def call(words):
    return subprocess.run([sys.executable, "-c", CODE, *words], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("words", "message"), REFUSED, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_refusals_are_quick(words, message, tmp_path):
    done = call(words)
    assert done.returncode in (1, 2), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("medkd: error: ") and message in line


@pytest.mark.parametrize("words", ANSWERED, ids=" ".join)
def test_answers_are_quick(words):
    done = call(words)
    assert done.returncode == 0 and done.stdout, done.stderr


def test_an_experiment_is_planned_without_torch(tmp_path):
    pytest.importorskip("snakemake")
    (tmp_path / "datalist.json").write_text("{}")
    code = CODE.replace(', "pandas", "numpy"', "")
    words = [
        "experiment",
        "desk",
        "--data",
        f"isic2018={tmp_path}",
        "--tasks",
        "isic2018",
        "--rows",
        "KD",
        "--seeds",
        "0",
    ]
    words += ["--output_dir", str(tmp_path / "E")]
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run([*command, "--dry-run"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "student, teacher" in done.stdout + done.stderr  # the reasons of a dry run
    done = subprocess.run([*command, "--options", "max_epoch=3"], capture_output=True, text=True)
    assert done.returncode in (1, 2) and "did you mean --max_epochs" in done.stderr
    assert not (tmp_path / "E/runs").exists()
