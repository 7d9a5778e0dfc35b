"""Options that the record of a model fills."""

import pytest
import yaml

from medkd.cli.trained import options_from_record, task_of_model


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
