"""The teacher of a method: who is in the team, and what the student learns from it."""

import pytest
import torch
from ignite.engine import Events
from monai.losses import DiceCELoss

from medkd import methods
from medkd.correction import TeacherTeam
from medkd.engines import DistillationTrainer
from medkd.plckd import teacher_team

from .builders import make_loader, make_network, make_taps


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        ({}, (True, True, True)),
        ({"false_pixel": False, "boundary": False}, (False, False, True)),
        ({"similarity": False, "boundary": False}, (True, False, False)),
    ],
)
def test_a_method_decides_the_members(tmp_path, args, parts):
    paths = []
    for seed in (1, 2):
        paths.append(tmp_path / f"{seed}.pt")
        torch.save(make_network(seed).state_dict(), paths[-1])
    team = teacher_team("plckd", args, make_taps(), *paths)
    assert (team.false_pixel is not None, team.boundary is not None, team.correction.similarity) == parts
    if team.false_pixel is not None:
        torch.testing.assert_close(team.false_pixel.state_dict(), make_network(1).state_dict())
    if team.boundary is not None:
        torch.testing.assert_close(team.boundary.state_dict(), make_network(2).state_dict())


def test_other_methods_have_a_single_teacher_and_read_no_assistant(tmp_path):
    teacher = make_taps()
    single = teacher_team("kd", {}, teacher, tmp_path / "a", tmp_path / "b")
    assert single.team is None and single.taps is teacher
    assert teacher_team("swap", {}, teacher, tmp_path / "a", tmp_path / "b").correction.swap
    with pytest.raises(FileNotFoundError, match="false_pixel_assistant .*no such file"):
        teacher_team("plckd", {}, teacher, tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("base", ["kd", "dkd", "cwd"])
@pytest.mark.filterwarnings("ignore:DKDLoss")
def test_the_student_learns_the_corrected_labels_by_any_logit_method(base):
    student, team = make_taps(5), TeacherTeam(make_taps())
    loss = methods.build("plckd", DiceCELoss(softmax=True, to_onehot_y=True), student, team.teacher, {"base": base})
    assert set(loss.losses) == set(methods.build(base, None, student, team.teacher).losses)
    assert set(loss.ramps.values()) == {(0, 5)}
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    engine = DistillationTrainer("cpu", 1, make_loader(), student, optimizer, loss, team)
    seen = []
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda e: seen.append(e.state.output["terms"][base]))
    engine.run()
    assert len(seen) == 2 and all(value > 0 for value in seen)
    assert not any(p.requires_grad for p in team.parameters())


def test_another_base_is_refused():
    with pytest.raises(ValueError, match="method plckd: base: found 'at', expected one of kd, dkd, cwd"):
        methods.build("plckd", None, make_taps(), make_taps(), {"base": "at"})
