"""`medkd distill --tune`: settings are chosen on the validation images alone."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from medkd.cli.main import main
from medkd.cli.search import Search, read_search
from medkd.cli.tune import tune

BUDGET = {"tune_epochs": None, "tune_seeds": None}
CONFIG = {"seed": 0, "max_epochs": 10, "resume": False}


def search_of(*words, **budget):
    return read_search({"tune": words, **BUDGET, **budget}, {})


class FakeTraining:
    """Writes what a run leaves; the value of the validation is that of the function, or what it raises."""

    def __init__(self, value):
        self.value, self.runs = value, []

    def __call__(self, setting, changes, facts):
        self.runs.append((setting, changes))
        folder = Path(changes["output_dir"])
        folder.mkdir(parents=True, exist_ok=True)
        torch.save({}, folder / "resume.pt")  # it has begun
        best = {"name": "val_mean_dice", "metric": self.value(changes["seed"], **setting), "epoch": 2}
        torch.save({"best": best}, folder / "resume.pt")


def rows(folder):
    with (folder / "tune.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_setting_with_the_best_mean_validation_is_chosen_and_its_cost_is_said_before(tmp_path, capsys):
    search = search_of("a::weight=[0.3,1,3]", "batch_size=[2,4]", tune_epochs=5, tune_seeds=2)
    values = {0.3: (0.5, 0.9), 1: (0.8, 0.8), 3: (0.7, 0.7)}
    train = FakeTraining(lambda seed, batch_size, **args: values[args["a::weight"]][seed - 7] - batch_size / 100)
    options = {"output_dir": str(tmp_path), "seed": 7}
    choice = tune(search, options, CONFIG, train)
    assert choice.setting == {"a::weight": 1, "batch_size": 2}
    assert (
        choice.record["grid"] == search.grid
        and choice.record["seeds"] == 2
        and choice.record["metric"] == "val_mean_dice"
    )
    tried = [(t["setting"], t["seed"], t["value"]) for t in choice.record["trials"] if t["chosen"]]
    assert tried == [(choice.setting, 7, pytest.approx(0.78)), (choice.setting, 8, pytest.approx(0.78))]
    assert len(train.runs) == 12 and {changes["max_epochs"] for _, changes in train.runs} == {5}
    assert {changes["seed"] for _, changes in train.runs} == {7, 8}
    assert len({changes["output_dir"] for _, changes in train.runs}) == 12
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("tune: 6 settings x 2 seed(s) = 12 runs, 60 epochs together, on the validation images")
    assert lines[0].endswith("then the training itself, 10 epochs")
    assert "tune: a::weight=0.3, batch_size=2  val_mean_dice 0.6800 ± 0.2828" in lines
    assert "tune: a::weight=1, batch_size=2    val_mean_dice 0.7800 ± 0.0000  <- chosen" in lines
    assert lines[-1] == "note: batch_size: a value smaller than 2 may be better, none was tried"
    chosen = [row for row in rows(tmp_path) if row["chosen"] == "True"]
    assert [(row["a::weight"], row["batch_size"], row["seed"]) for row in chosen] == [("1", "2", "7"), ("1", "2", "8")]


def test_a_failed_trial_is_kept_and_not_chosen(tmp_path, capsys):
    def value(seed, x):
        if x == 3 and seed == 1:
            raise RuntimeError("CUDA out of\nmemory")
        return x / 10 if x < 4 else float("nan")

    train = FakeTraining(value)
    chosen = tune(search_of("x=[1,3,2]", tune_seeds=2), {"output_dir": str(tmp_path)}, CONFIG, train)
    assert chosen.setting == {"x": 2} and len(train.runs) == 6
    assert "tune: x=3  failed: RuntimeError: CUDA out of memory" in capsys.readouterr().out
    assert [row["problem"] for row in rows(tmp_path)] == ["", "", "", "RuntimeError: CUDA out of memory", "", ""]
    with pytest.raises(ValueError, match=r"none of 2 settings ended: RuntimeError: CUDA out"):
        tune(search_of("x=[3,3.0]", tune_seeds=2), {"output_dir": str(tmp_path / "b")}, CONFIG, FakeTraining(value))


def test_an_interrupted_search_goes_on_and_a_finished_one_is_not_overwritten(tmp_path):
    def interrupt(seed, x):
        raise KeyboardInterrupt

    search, options = search_of("x=[1,2]"), {"output_dir": str(tmp_path)}
    with pytest.raises(KeyboardInterrupt):
        tune(search, options, CONFIG, FakeTraining(interrupt))
    with pytest.raises(FileExistsError, match="already holds results: choose another folder, or go on with --resume"):
        tune(search, options, CONFIG, FakeTraining(lambda seed, x: x))
    train = FakeTraining(lambda seed, x: x)
    assert tune(search, {**options, "resume": True}, CONFIG, train).setting == {"x": 2}
    assert [changes["resume"] for _, changes in train.runs] == [True, False]

    def refuse(setting, changes, facts):
        raise ValueError("--resume: x/resume.pt is of a run with other options: batch_size was 8, is 4")

    with pytest.raises(ValueError, match="of a run with other options"):  # not a failed trial
        tune(search, {**options, "resume": True}, CONFIG, refuse)


def test_folders_of_trials_are_named_by_their_settings_and_never_shared(tmp_path):
    for words, names in (
        (("a::x=[1,2]", "y=[[8,8]]"), ["x=1,y=8,8", "x=2,y=8,8"]),
        (('x=["/a/b","/ab"]',), ["1_x=ab", "2_x=ab"]),
    ):
        train = FakeTraining(lambda seed, **setting: 0.5)
        tune(search_of(*words), {"output_dir": str(tmp_path / names[0])}, CONFIG, train)
        assert [Path(changes["output_dir"]).parent.name for _, changes in train.runs] == names


def test_epochs_may_be_tuned(tmp_path, capsys):
    train = FakeTraining(lambda seed, max_epochs: max_epochs)
    assert tune(search_of("max_epochs=[3,4]"), {"output_dir": str(tmp_path)}, CONFIG, train).setting == {
        "max_epochs": 4
    }
    assert [changes["max_epochs"] for _, changes in train.runs] == [3, 4]
    assert "2 runs, 7 epochs together, on the validation images; then the training itself, that many as chosen" in (
        capsys.readouterr().out
    )


def test_settings_are_all_combinations():
    settings = Search({"a": [1, 2], "b": [[8, 8], None]}).settings
    assert settings[1] == {"a": 1, "b": None} and len(settings) == 4


COMMAND = ("distill", "isic2018", "--method", "kd", "--dataset_dir", "D", "--output_dir", "O")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tune", "learning_rate"], "--tune: found 'learning_rate', expected a name and values"),
        (["--tune", "learning_rate="], 'expected a name and values: --tune "learning_rate=[A,B]"'),
        (["--tune", "learning_rate=[]"], "--tune: found 'learning_rate=[]', expected a name and values"),
        (["--tune", "learning_rate=1e-3"], "--tune: found 'learning_rate=1e-3', expected a name and values"),
        (["--tune", "=[1,2]"], "--tune: found '=[1,2]', expected a name and values: --tune \"NAME=[A,B]\""),
        (["--tune", "learning_rate=[1e-3]"], "--tune learning_rate: found 0.001 alone, expected several values"),
        (["--tune", "learning_rate=[1e-3,0.001]"], "--tune learning_rate: found 0.001 twice"),
        (["--tune", "learning_rate=[1e-3,fast]"], "--learning_rate: found 'fast', expected a number"),
        (["--tune", "batch_size=[2,0]"], "--batch_size: found 0, expected a whole number from 1 on"),
        (["--tune", "augmentation=[paper,weak]"], "--augmentation: found 'weak', expected one of paper, strong"),
        (["--tune", "lerning_rate=[1,2]"], "--lerning_rate (did you mean --learning_rate"),
        (["--tune", "method_args::wieght=[1,2]"], "method kd has no argument 'wieght': did you mean weight?"),
        (["--tune", "method_args::weight=[1,high]"], "weight: found 'high', expected a number"),
        (["--tune", "method_args::weight=[1,2]", "--tune", "method=[at,kd]"], "--tune method: found --method too"),
        (["--tune", "seed=[0,1]"], "--tune seed: a seed is no setting: write --tune_seeds N"),
        (["--tune", "dataset_dir=[A,B]"], "--tune dataset_dir: cannot be tuned"),
        (["--tune", "teacher::max_epochs=[1,2]"], "--tune teacher::max_epochs: cannot be tuned"),
        (["--tune", "batch_size=[2,4]", "--tune", "batch_size=[8,9]"], "--tune batch_size: found it twice"),
        (["--tune", "batch_size=[2,4]", "--batch_size", "8"], "--tune batch_size: found --batch_size too"),
        (["--tune", "method_args::weight=[2,4]", "--method_args", "{weight: 3}"], "found --method_args::weight too"),
        (["--tune_epochs", "3"], "--tune_epochs: has no effect without --tune"),
        (["--tune_seeds", "3"], "--tune_seeds: has no effect without --tune"),
        (["--tune", "max_epochs=[2,4]", "--tune_epochs", "3"], "--tune_epochs: has no effect with --tune max_epochs"),
        (["--tune", "batch_size=[2,4]", "--tune_epochs", "0"], "--tune_epochs: found 0, expected a whole number"),
    ],
)
def test_what_cannot_be_tuned_is_one_line(capsys, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    assert main([*COMMAND, *words]) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line and not any(tmp_path.iterdir())


@pytest.mark.parametrize("role", [[], ["--role", "teacher"]])
def test_training_on_labels_is_tuned_likewise(capsys, tmp_path, monkeypatch, role):
    monkeypatch.chdir(tmp_path)
    train = ["train", "isic2018", *role, "--dataset_dir", "D", "--output_dir", "O"]
    for words, message in (
        (["--tune", "lerning_rate=[1,2]"], "--lerning_rate (did you mean --learning_rate"),
        (["--tune", "learning_rate=[1,2]", "--learning_rate", "3"], "--tune learning_rate: found --learning_rate too"),
        (["--tune_seeds", "3"], "--tune_seeds: has no effect without --tune"),
    ):
        assert main([*train, *words]) != 0
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line and not any(tmp_path.iterdir())


def test_methods_may_be_tuned(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = [*COMMAND[:2], *COMMAND[4:]]
    for words, message in (
        (["--tune", "method=[kd,dk]"], "unknown method 'dk'"),
        (["--tune", "method=[at,kd]", "--tune", "method_args::tap=[logits]"], "method kd has no argument 'tap'"),
    ):
        assert main([*command, *words]) in (1, 2)
        assert message in capsys.readouterr().err and not any(tmp_path.iterdir())


def test_a_refusal_imports_neither_torch_nor_monai(tmp_path):
    words = [*COMMAND, "--tune", "method_args::wieght=[1,2]"]
    code = (
        f"import sys; from medkd.cli.main import main; main({words!r}); print(*{{'torch', 'monai'}} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "wieght" in run.stderr and not run.stdout.strip()


@pytest.mark.slow
def test_trials_never_read_a_test_image_and_the_training_takes_the_choice(
    cvc_data, teachers, medkd_run, tmp_path, capsys
):
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(cvc_data, data)
    test_images = [data / entry["image"] for entry in json.loads((data / "datalist.json").read_text())["test"]]
    for image in test_images:
        image.write_bytes(b"broken")
    words = ["--dataset_dir", data, "--output_dir", out, "--teacher", teachers["cvc_endoscene"], "--max_epochs", 2]
    words += [
        "--method",
        "kd",
        "--tune",
        "method_args::weight=[0.5,2]",
        "--tune",
        "training_cases=[3,1000]",
        "--tune_epochs",
        1,
    ]
    assert medkd_run("distill", "cvc_endoscene", *words) in (1, 2)
    captured = capsys.readouterr()
    assert "cannot identify image file" in captured.err  # of the test of the training itself
    table = rows(out)
    assert [bool(row["problem"]) for row in table] == [False, True, False, True]
    assert table[0]["metric"] == "val_mean_dice" and "expected 1 to" in table[1]["problem"]
    chosen = next(row for row in table if row["chosen"] == "True")
    for image in test_images:
        shutil.copy(cvc_data / image.relative_to(data), image)
    assert medkd_run("distill", "cvc_endoscene", *words, "--resume", "True") == 0
    assert rows(out) == table and (out / "summary.json").is_file()
    record = (out / "config.yaml").read_text()
    assert f"weight: {chosen['method_args::weight']}" in record and "training_cases: 3" in record
    tuning = json.loads((out / "environment.json").read_text())["tuning"]
    assert tuning["grid"] == {"method_args::weight": [0.5, 2], "training_cases": [3, 1000]}
    assert [str(trial["value"]) for trial in tuning["trials"] if trial["chosen"]] == [chosen["value"]]
    trials = sorted(path.parent.name for path in (out / "tune").glob("*/seed_0"))
    assert trials[0] == "weight=0.5,training_cases=3" and not list((out / "tune").rglob("metrics.csv"))
    alone = tmp_path / "alone"
    words = [*words[:2], "--output_dir", alone, *words[4:10], "--training_cases", 3]
    assert medkd_run("distill", "cvc_endoscene", *words, "--method_args::weight", chosen["method_args::weight"]) == 0
    weights, same = (torch.load(folder / "model.pt", weights_only=True) for folder in (out, alone))
    assert all(torch.equal(weights[name], same[name]) for name in weights)
