"""An interrupted inference goes on: finished cases are skipped if model, options and image are the same."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from medkd.runs.predicted import PROGRESS, PredictedCases

OPTIONS = {"overlap": 0.25, "output_dir": "elsewhere", "input": "elsewhere"}
KILLED = """import os, sys
from medkd.runs.predicted import PredictedCases
with PredictedCases(sys.argv[1], sys.argv[2], {"overlap": 0.25}) as cases:
    for case in ("a", "b"):
        with open(f"{sys.argv[1]}/{case}.nii.gz", "w") as file:
            file.write(case)
        cases.add(case, f"{sys.argv[3]}/{case}.nii")
    os.kill(os.getpid(), 9)"""


class Inference:
    """Three images, a model, and a folder with the predictions of two of them after a kill."""

    def __init__(self, folder: Path) -> None:
        self.output, self.model = folder / "output", folder / "model.pt"
        self.model.write_bytes(b"weights")
        self.output.mkdir()
        self.items = [{"case": case, "image": str(folder / f"{case}.nii")} for case in "abc"]
        for item in self.items:
            Path(item["image"]).write_text(item["case"])
        words = [sys.executable, "-c", KILLED, str(self.output), str(self.model), str(folder)]
        assert subprocess.run(words).returncode == -signal.SIGKILL

    def cases(self, **options) -> PredictedCases:
        return PredictedCases(self.output, self.model, {**OPTIONS, **options})


@pytest.fixture
def killed(tmp_path):
    return Inference(tmp_path)


def remaining(inference) -> str:
    """Names of the cases that are still to be predicted, in a call that is interrupted too."""
    with pytest.raises(InterruptedError), inference.cases() as cases:
        names = "".join(inference.items[index]["case"] for index in cases.remaining(inference.items))
        raise InterruptedError
    return names


def test_finished_cases_are_skipped_and_the_end_removes_the_record(killed, capsys):
    assert remaining(killed) == "c"
    assert "predicted 2 of 3 cases: they are skipped" in capsys.readouterr().out
    with killed.cases() as cases:
        (killed.output / "c.nii.gz").touch()
        cases.add("c", killed.items[2]["image"])
        assert cases.remaining(killed.items) == []
    assert sorted(path.name for path in killed.output.iterdir()) == ["a.nii.gz", "b.nii.gz", "c.nii.gz"]


def test_a_changed_image_and_a_lost_prediction_are_predicted_again(killed, capsys):
    Path(killed.items[0]["image"]).write_text("A")
    (killed.output / "b.nii.gz").unlink()
    assert remaining(killed) == "abc"
    assert "a.nii has changed since it was predicted" in capsys.readouterr().out


def test_predictions_that_a_power_cut_left_are_predicted_again(killed, capsys):
    (killed.output / "a.nii.gz").write_bytes(b"")
    (killed.output / "b_probabilities.nii.gz").touch()  # appears: not as it was written either
    assert remaining(killed) == "abc"
    assert "the prediction of a is not as it was written: it is predicted again" in capsys.readouterr().out


def test_lines_of_older_records_do_not_count(killed):
    record = killed.output / PROGRESS
    record.write_text(re.sub(r', "predictions": "[^"]*"', "", record.read_text()))
    assert remaining(killed) == "abc"


def test_another_model_and_other_options_are_refused(killed):
    message = f"output_dir {killed.output}: holds predictions of another model or of other options"
    with pytest.raises(FileExistsError, match=message), killed.cases(overlap=0.5):
        pass
    killed.model.write_bytes(b"other weights")
    with pytest.raises(FileExistsError, match=message), killed.cases():
        pass
    assert (killed.output / PROGRESS).exists()


def test_lines_that_were_cut_off_do_not_count(killed):
    record = killed.output / PROGRESS
    record.write_bytes(record.read_bytes()[:-10])
    assert remaining(killed) == "bc"
    assert remaining(killed) == "bc"  # what the interrupted call wrote is whole again
    record.write_bytes(b"\xff\n[[")
    with pytest.raises(FileExistsError, match="another model"):
        remaining(killed)


def test_the_voxels_of_a_detached_header_may_have_changed(killed):
    for item in killed.items:
        item["image"] = str(Path(item["image"]).rename(Path(item["image"]).with_suffix(".mhd")))
    assert remaining(killed) == "abc"


def test_the_prediction_of_an_image_that_was_renamed_is_named(killed, capsys):
    killed.items[1] = {
        "case": "new",
        "image": str(Path(killed.items[1]["image"]).rename(killed.output.parent / "new.nii")),
    }
    with pytest.raises(InterruptedError), killed.cases() as cases:
        assert cases.remaining(killed.items) == [1, 2]
        raise InterruptedError
    said = capsys.readouterr().out
    assert (
        "the prediction of b stays, though the input holds no image of this name any more" in said
        and "of a stays" not in said
    )
