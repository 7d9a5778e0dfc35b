"""Which members of PLC-KD's team a method needs."""

import pytest
import torch

from medkd.networks import UNet
from medkd.plckd.members import check_member, check_team_embedding, team_members


def test_members_follow_the_arguments():
    assert team_members("plckd", {}) == ("teacher", "false_pixel_assistant", "boundary_assistant")
    assert team_members("plckd", {"false_pixel": False, "boundary": False}) == ("teacher",)
    assert team_members("kd", {}) == team_members("none", {}) == ()


@pytest.mark.parametrize("role", ["teacher", "boundary_assistant"])
def test_a_missing_file_is_named(role, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        check_member(role, str(tmp_path / "nowhere"))
    check_member(role, "$@bundle_root")


def test_an_ensemble_has_no_penultimate_map(tmp_path):
    paths = [str(tmp_path / name) for name in ("a.pt", "b.pt")]
    for path in paths:
        torch.save(UNet(2, 3, 2, width=2).state_dict(), path)
    check_member("teacher", paths)
    check_team_embedding("plckd", {}, paths[0])
    check_team_embedding("plckd", {"similarity": False}, paths)
    with pytest.raises(ValueError, match="method plckd: similarity reads the penultimate map of the teacher"):
        check_team_embedding("plckd", {}, paths)
