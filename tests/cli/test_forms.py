"""Every form of a command, run for real with tiny networks: words as lists, no task beside a model, titles of runs."""

import pandas as pd
import pytest

from medkd.cli.main import main

SMALL = ["--teacher_width", 2, "--student_width", 2, "--device", "cpu"]


def call(*words):
    assert main([str(word) for word in words]) == 0


@pytest.fixture(scope="module")
def run(kits19_data, tmp_path_factory):
    """A student of one epoch; the same command again, in other words, resumes a run that has ended."""
    folder = tmp_path_factory.mktemp("forms") / "S_0"
    words = [*SMALL, "--dataset_dir", kits19_data, "--output_dir", folder, "--max_epochs", 1]
    call("train", "kits19", *words, "--image_size", 32, 32)
    call("train", "kits19", *words, "--image_size", "[32,32]", "--resume", "true")
    return folder


def test_a_model_names_its_task(run, kits19_data, tmp_path):
    data = ["--dataset_dir", kits19_data]
    scan = next(kits19_data.parent.glob("raw/**/imaging.nii.gz"))
    call("evaluate", "--model", run, *data, "--output_dir", tmp_path / "evaluated", "--device", "cpu")
    assert (tmp_path / "evaluated/metrics.csv").read_text() == (run / "metrics.csv").read_text()
    call("infer", "--model", run / "model.pt", "--input", scan, "--output_dir", tmp_path / "labels", "--device", "cpu")
    assert len(list((tmp_path / "labels").glob("*.nii.gz"))) == 1
    call("export", "--model", run, *data, "--output_dir", tmp_path / "out", "--format", "torchscript")
    assert (tmp_path / "out/student.ts").is_file()
    call("pack", "--model", run, "--output_dir", tmp_path / "bundle")
    assert (tmp_path / "bundle/configs/inference.json").is_file()


def test_runs_of_a_report_have_titles_folders_or_both_in_one_mapping(run, tmp_path):
    forms = {
        "titles": ["--run", f"alone={run}"],
        "folders": [run],
        "python": ["--runs", f"{{'alone': ['{run}']}}"],
        "yaml": ["--runs", f"{{alone: [{run}]}}"],
    }
    tables = {}
    for name, words in forms.items():
        call("report", *words, "--output_dir", tmp_path / name)
        tables[name] = pd.read_csv(tmp_path / name / "table.csv")
    assert tables["titles"].equals(tables["python"]) and tables["titles"].equals(tables["yaml"])
    assert set(tables["titles"]["row"]) == {"alone"} and set(tables["folders"]["row"]) == {"Student alone"}


def test_figures_take_titles_of_runs(run, kits19_data, tmp_path):
    words = ["--dataset_dir", kits19_data, "--count", 1, "--device", "cpu"]
    call("figures", "--run", f"a={run}", "--run", f"b={run}", *words, "--output_dir", tmp_path / "new")
    call("figures", "kits19", "--runs", f"{{'a': '{run}', 'b': '{run}'}}", *words, "--output_dir", tmp_path / "old")
    names = [sorted(path.name for path in (tmp_path / form).glob("*.png")) for form in ("new", "old")]
    assert names[0] and names[0] == names[1]
