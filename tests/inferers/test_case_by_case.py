"""Inference case by case: an unreadable case is named, the others are predicted."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator

from medkd.inferers import infer_each


def load(item):
    """Return an image of the value of a case; raise its error where it has no value."""
    if item["value"] is None:
        raise item["error"]
    return {"image": torch.full((1, 2, 2), float(item["value"]))}


def case(name, value, error=None):
    return {"case": name, "image": f"{name}.nii.gz", "value": value, "error": error}


def evaluator(*cases):
    """Return an evaluator whose prediction is the image, and the list of the values that it predicts."""
    predicted = []

    def postprocess(data):
        predicted.append(data["pred"].max().item())
        return data

    return (
        SupervisedEvaluator(
            device=torch.device("cpu"),
            val_data_loader=DataLoader(Dataset(list(cases), load), batch_size=1),
            network=torch.nn.Identity(),
            postprocessing=postprocess,
            prepare_batch=lambda batch, *args, **kwargs: (batch["image"], None),
        ),
        predicted,
    )


def test_each_case_is_predicted_and_reported(capsys):
    engine, predicted = evaluator(case("a", 1), case("b", 2))
    infer_each(engine)
    assert predicted == [1.0, 2.0]
    assert capsys.readouterr().out.splitlines() == ["a.nii.gz: done", "b.nii.gz: done"]


def test_the_label_map_of_several_channels_is_that_of_the_first(tmp_path):
    channels = {"case": "a", "image": [str(tmp_path / "t1"), str(tmp_path / "t2")], "value": 1}
    engine, predicted = evaluator(channels)
    checked = []
    infer_each(engine, label_format=SimpleNamespace(check_source=lambda source: checked.append(Path(source))))
    assert predicted == [1.0] and checked == [tmp_path / "t1"]


def test_a_case_that_fails_is_named_and_the_others_go_on(capsys):
    broken = case("b", None, ValueError("truncated"))
    named = case("c", None, ValueError("c.nii.gz: not readable"))
    engine, predicted = evaluator(case("a", 1), broken, named, case("d", 2))
    with pytest.raises(ValueError, match=r"2 of 4 cases failed: b, c$"):
        infer_each(engine)
    assert predicted == [1.0, 2.0]
    output = capsys.readouterr()
    assert output.out.splitlines() == ["a.nii.gz: done", "d.nii.gz: done"]
    lines = [line.split("\r")[-1] for line in output.err.splitlines()]
    assert "b.nii.gz: truncated" in lines and "c.nii.gz: not readable" in lines


def test_an_error_that_the_input_did_not_cause_is_raised_at_once():
    engine, predicted = evaluator(case("a", None, KeyError("a defect")), case("b", 1))
    with pytest.raises(RuntimeError, match="applying transform") as error:  # MONAI's error around it
        infer_each(engine)
    assert isinstance(error.value.__cause__, KeyError) and predicted == []


def test_failure_of_all_cases_says_that_nothing_was_written(capsys):
    engine, _ = evaluator(case("a", None, ValueError("truncated")))
    with pytest.raises(ValueError, match="1 of 1 case failed, nothing was written: a"):
        infer_each(engine)
    assert "note:" not in capsys.readouterr().out


@pytest.mark.parametrize(("values", "is_noted"), [((0, 0), True), ((0, 1), False)])
def test_background_in_all_predictions_is_noted(capsys, values, is_noted):
    engine, _ = evaluator(*(case(f"case_{i}", value) for i, value in enumerate(values)))
    infer_each(engine)
    assert ("note: all is background in every prediction" in capsys.readouterr().out) == is_noted
