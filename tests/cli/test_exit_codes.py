"""Exit codes: 2 where the command line itself is wrong, 1 where a file, a folder or the data is."""

import pytest

from medkd.cli.main import main
from medkd.cli.verbs import VERBS

DATA = ["--dataset_dir", "nowhere", "--output_dir", "out"]
USAGE = {
    "prepare": [
        ["nifti"],
        ["lits", "--source", "RAW", "--dataset_dir", "d", "--fold", "1.5"],
        ["pictures", "--images", "RAW", "--labels", "RAW", "--dataset_dir", "d", "--form", "gray"],
        ["nifti", "--images", "RAW", "--labels", "RAW", "--dataset_dir", "d", "--seed", "-1"],
        ["nifti", "--images", "RAW", "--labels", "RAW", "--dataset_dir", "d", "--workers", "0"],
        ["nifti", "--images", "RAW", "--labels", "RAW", "--dataset_dir", "d", "--modality", "mrt"],
        ["cvc_endoscene", "--sources", ".", "--dataset_dir", "d"],
        ["nifti", "--unlabelled_only", "True", "--labels", "RAW", "--dataset_dir", "d"],
        ["pictures", "--unlabelled_only", "True", "--images", "RAW", "--dataset_dir", "d"],
    ],
    "train": [["kits19"], ["kist19", *DATA], ["kits19", *DATA, "--max_epochs", "x"], ["kits19", *DATA, "word"]],
    "distill": [
        ["kits19"],
        ["kits19", *DATA],
        ["kits19", *DATA, "--teachr", "T", "--method", "kd"],
        ["kits19", *DATA, "--teacher", "T", "--tune", "x"],
        ["kits19", *DATA, "--teacher", "T", "--tune_epochs", "3"],
    ],
    "evaluate": [["kits19", "--model"], ["kist19", *DATA]],
    "infer": [["kits19"], ["kits19", "--model", "no.onnx", "--input", "i", "--output_dir", "o", "--overlap", "2"]],
    "figures": [["kits19", *DATA], ["kits19", *DATA, "--run", "x"]],
    "export": [["kits19"], ["kits19", "--format", "onx", *DATA]],
    "pack": [["kits19"], ["kits19", "--model", "M", "--version", "1"]],
    "experiment": [[], ["nothing", "--data", "a=b", "--output_dir", "o"], ["desk", "--data", "a", "--output_dir", "o"]],
    "report": [["--output_dir", "o"], ["--run", "x", "--output_dir", "o"]],
    "methods": [["--x"]],
    "layers": [["kist19"]],
    "demo": [["--x"]],
}
FILES = {
    "prepare": [["kits19", "--source", "nowhere", "--dataset_dir", "d"]],
    "train": [["kits19", *DATA]],
    "distill": [["kits19", *DATA, "--teacher", "nowhere", "--method", "kd"]],
    "evaluate": [["kits19", *DATA, "--model", "nowhere"]],
    "infer": [["kits19", "--model", "no.onnx", "--input", "i", "--output_dir", "o"]],
    "figures": [["kits19", *DATA, "--run", "a=nowhere"]],
    "export": [["kits19", "--format", "onnx", *DATA, "--model", "nowhere"]],
    "pack": [["kits19", "--model", "nowhere"]],
    "experiment": [["nowhere.yaml", "--data", "isic2018=x", "--output_dir", "o"]],
    "report": [["--run", "x=nowhere", "--output_dir", "o"]],
}


def only_line(capsys):
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("medkd: error: ")
    return line


def cases(code, commands):
    return [(code, verb, words) for verb, of_verb in commands.items() for words in of_verb]


@pytest.mark.parametrize(("code", "verb", "words"), [*cases(2, USAGE), *cases(1, FILES)])
def test_usage_faults_end_with_2_and_others_with_1(monkeypatch, tmp_path, capsys, code, verb, words):
    monkeypatch.chdir(tmp_path)
    raw = tmp_path / "RAW"
    raw.mkdir()
    (raw / ".hidden").touch()
    (raw / "folder").mkdir()
    found = main([verb, *words])
    assert (found, only_line(capsys))[0] == code
    assert list(tmp_path.iterdir()) == [raw]


def test_a_distillation_without_a_teacher_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["distill", "kits19", *DATA]) == 2
    assert "medkd distill kits19 needs --teacher PATH" in only_line(capsys)


def test_every_verb_has_usage_faults():
    assert set(USAGE) == set(VERBS)


@pytest.mark.parametrize(
    ("data", "hint"),
    [(["isic=x"], "did you mean isic2018?"), (["isic2018=y", "cvc_endocene=x"], "did you mean cvc_endoscene?")],
)
def test_a_misspelt_task_of_an_experiment_is_named(monkeypatch, tmp_path, capsys, data, hint):
    monkeypatch.chdir(tmp_path)
    words = [word for name in data for word in ("--data", name)]
    assert main(["experiment", "desk", *words, "--output_dir", "o"]) == 2
    line = only_line(capsys)
    assert "--data: found " in line and hint in line
