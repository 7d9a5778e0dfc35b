"""Axes of external networks: turning as nibabel does."""

import pytest
import torch
from nibabel.orientations import apply_orientation, axcodes2ornt, ornt_transform

from medkd.teachers.geometry import Axes


@pytest.mark.parametrize("axcodes", ["IPL", "RAS", "LPS", "SPL", "PIR", "LIP"])
def test_volumes_are_turned_as_nibabel_does_and_back(axcodes):
    image = torch.rand(2, 1, 3, 4, 5)
    ornt = ornt_transform(axcodes2ornt("IPL"), axcodes2ornt(axcodes))
    expected = torch.stack([torch.from_numpy(apply_orientation(one[0].numpy(), ornt).copy()) for one in image])[:, None]
    assert torch.equal(Axes(axcodes).to_network(image), expected)
    assert torch.equal(Axes(axcodes).from_network(expected), image)
