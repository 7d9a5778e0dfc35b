"""One run of MLflow a training: what is in it, resumed and killed ones, and what is refused before the first step."""

import json
import os
import subprocess
import sys

import pytest
from ignite.engine import Events

from medkd.engines import DistillationTrainer
from medkd.handlers import MLflowRecord
from medkd.runs.signals import Terminated


@pytest.mark.parametrize(
    ("tracking", "message"),
    [("FILE/runs", "FILE is a file, expected a folder or a URI"), ("file:///runs", "writes no files any more")],
)
def test_impossible_places(tmp_path, monkeypatch, tracking, message):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    (tmp_path / "FILE").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        MLflowRecord(tracking, tmp_path, "bundles/kits19", "kd", 0)


def test_without_mlflow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'mlflow is not installed: pip install -e ".\[mlflow\]" in the clone'):
        MLflowRecord(str(tmp_path), tmp_path, "bundles/kits19", "kd", 0)
    MLflowRecord(None, tmp_path, "bundles/kits19", "kd", 0)  # no option, nothing needed


def test_another_place_in_the_environment(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    with pytest.raises(ValueError, match="MLFLOW_TRACKING_URI is set to http://elsewhere: unset it, or give the same"):
        MLflowRecord(str(tmp_path), tmp_path, "bundles/kits19", "kd", 0)


@pytest.mark.slow
def test_no_telemetry():
    pytest.importorskip("mlflow.telemetry", reason="the mlflow extra is not installed, or has no telemetry")
    # in a process of its own: MLflow reports nothing from tests and CI anyway
    variables = ("PYTEST", "CI", "GITHUB", "MLFLOW", "DO_NOT_TRACK")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(variables)}
    code = """
from medkd.handlers import mlflow_record
from mlflow.telemetry import get_telemetry_client
assert get_telemetry_client() is not None, "it would have reported"
mlflow_record._send_no_telemetry()
assert get_telemetry_client() is None
"""
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.slow
def test_a_file_that_is_no_data_base_is_one_line(data, medkd_run, tmp_path, capsys):
    pytest.importorskip("alembic", reason="the mlflow extra is not installed")
    (tmp_path / "mlruns.db").write_text("not a data base of any kind")
    words = ["--dataset_dir", data["kits19"], "--output_dir", tmp_path / "run", "--mlflow", tmp_path]
    assert medkd_run("train", "kits19", *words) in (1, 2)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("medkd: error")]
    assert f"mlflow {tmp_path}: no run can be begun there: (sqlite3.DatabaseError) file is not a database" in line


@pytest.mark.slow
def test_a_killed_run_goes_on_in_its_own_and_another_begins_anew(teachers, data, medkd_run, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="the mlflow extra is not installed")
    pytest.importorskip("alembic", reason="the mlflow extra is not installed")
    store, out = tmp_path / "runs", tmp_path / "kd"
    teacher = ["--dataset_dir", data["kits19"], "--teacher", teachers["kits19"], "--max_epochs", "3", "--method", "kd"]

    def distil(folder, *options):
        return medkd_run("distill", "kits19", *teacher, "--output_dir", folder, *options)

    def stop_in_epoch_two(trainer):
        @trainer.on(Events.EPOCH_STARTED(once=2))
        def stop():
            raise Terminated

    at_exit = []
    with monkeypatch.context() as patched:
        before = DistillationTrainer.__init__
        patched.setattr("atexit.register", at_exit.append)

        def begun(self, *args, **kwargs):
            before(self, *args, **kwargs)
            stop_in_epoch_two(self)

        patched.setattr(DistillationTrainer, "__init__", begun)
        assert distil(out, "--mlflow", store) == 143
    at_exit[-1]()
    client = mlflow.MlflowClient(f"sqlite:///{store}/mlruns.db")
    (experiment,) = [experiment for experiment in client.search_experiments() if experiment.name == "kits19"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "KILLED" and run.info.run_name == "kd/seed_0"

    assert distil(out, "--mlflow", store, "--resume", "True") == 0
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED" and run.info.run_id == json.loads((out / "mlflow.json").read_text())["run_id"]
    assert {"method": "kd", "max_epochs": "3", "student_width": "2"}.items() <= run.data.params.items()
    for name in ("loss", "loss/kd", "learning_rate", "val_mean_dice"):
        assert [point.step for point in client.get_metric_history(run.info.run_id, name)] == [1, 2, 3]

    # another training of the same method and seed is another run, and what is recorded changes nothing
    assert distil(tmp_path / "again", "--mlflow", store) == 0
    assert len(client.search_runs([experiment.experiment_id])) == 2
    assert distil(tmp_path / "plain") == 0
    summaries = {(tmp_path / name / "summary.json").read_text() for name in ("kd", "again", "plain")}
    assert len(summaries) == 1
    assert not any(name.startswith("ml") for name in os.listdir(tmp_path / "plain"))
