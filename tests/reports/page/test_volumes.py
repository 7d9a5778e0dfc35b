"""Directions, scale bars, boxes and millilitres of volumes by hand."""

import numpy as np
import pandas as pd
import pytest
import torch
from monai.data import MetaTensor

from medkd.reports.page.cases import _errors
from medkd.reports.page.volumes import geometry, target_box, volume_texts

# slices run down (I), rows back (P), columns to the left (L): voxels of 5 x 0.5 x 0.8 mm
IPL = np.array([[0, 0, -0.8, 0], [0, -0.5, 0, 0], [-5, 0, 0, 0], [0, 0, 0, 1]], dtype=float)


def test_directions_and_voxels_come_from_the_affine():
    grid = geometry(MetaTensor(torch.zeros(1, 4, 20, 30), affine=IPL), (4, 20, 30))
    assert grid is not None and grid.letters == ("R", "L", "A", "P")
    assert grid.spacing == pytest.approx((5, 0.5, 0.8)) and grid.text == "0.8 × 0.5 × 5 mm"
    assert geometry(np.zeros((3, 20, 30)), (20, 30)) is None  # a picture
    assert geometry(MetaTensor(torch.zeros(1, 4, 20, 30), affine=IPL), (4, 40, 60)) is None


def test_the_box_holds_all_targets_and_a_scale_bar():
    grid = geometry(MetaTensor(torch.zeros(1, 4, 100, 200), affine=IPL), (4, 100, 200))
    truth, prediction = np.zeros((2, 4, 100, 200), np.uint8)
    truth[1, 40:60, 80:120] = 1
    prediction[3, 45:50, 110:130] = 1
    whole, near = target_box([truth, prediction], grid)
    assert whole[:4] == (0, 0, 200, 100) and whole.length == "50 mm" and whole.bar == pytest.approx(62.5)
    # columns 80 to 130 and rows 40 to 60, in a square of 1.4 times the longer edge
    assert near[:4] == pytest.approx((70, 15, 70, 70)) and near.length == "10 mm" and near.bar == pytest.approx(12.5)
    assert target_box([np.zeros((4, 9, 9))], grid)[1].width == 9


def test_millilitres_are_summed_over_classes():
    lines = {"case": ["a", "a", "b"], "volume_truth": [1.0, 2.5, 9.0], "volume_prediction": [1.0, 1.25, 9.0]}
    assert volume_texts({"KD": pd.DataFrame(lines)}, "a") == {"": "3.5 ml", "KD": "2.25 ml"}
    assert volume_texts({"old": pd.DataFrame({"case": ["a"]})}, "a") == {}


def test_errors_are_what_is_missed_and_what_is_extra():
    truth, layer = np.zeros((2, 8, 8), np.uint8)
    truth[2:6, 2:6], layer[2:6, 4:8] = 1, 1
    missed, extra = _errors(truth, layer)
    assert missed.count("M") == extra.count("M") == 1 and missed != extra
    assert _errors(truth, truth) == ("", "")
