"""Metrics of cases made by hand: two boxes on an anisotropic grid, empty ground truth, the HLFD protocol."""

import math

import pytest
import torch

from medkd.metrics import case_metrics, summarise

SPACING = (5.0, 1.0, 1.0)
CLASSES = {1: "tumour"}


def box(*slices, shape=(6, 12, 12), value=1):
    labels = torch.zeros(shape, dtype=torch.uint8)
    labels[tuple(slice(a, b) for a, b in slices)] = value
    return labels


TRUTH = box((1, 3), (2, 6), (2, 6))  # 2 x 4 x 4 = 32 voxels
SHIFTED = box((1, 3), (2, 6), (4, 8))  # half of them, 16, in common


def test_values_by_hand():
    (row,) = case_metrics(SHIFTED, TRUTH, CLASSES, SPACING)
    assert row["class"] == "tumour"
    assert row["dice"] == pytest.approx(2 * 16 / 64)
    assert row["iou"] == pytest.approx(16 / 48)
    assert row["rvd"] == 0 and row["abs_rvd"] == 0
    assert row["hd95"] == pytest.approx(2.0)  # shifted by two columns of 1 mm
    assert row["volume_truth"] == pytest.approx(32 * 5 / 1000)
    assert (row["missed"], row["empty_truth"]) == (0, 0) and math.isnan(row["false_alarm"])


def test_hausdorff_distance_is_in_mm_along_each_axis():
    one_slice_up = box((2, 4), (2, 6), (2, 6))
    (row,) = case_metrics(one_slice_up, TRUTH, CLASSES, SPACING)
    assert row["hd95"] == pytest.approx(5.0)


def test_hausdorff_distance_is_the_95th_percentile():
    # a line of 101 voxels, and a prediction that strays from it by 0, 1, ..., 100 rows
    rows, columns = torch.arange(101), torch.arange(101)
    truth, prediction = torch.zeros(1, 101, 101, dtype=torch.uint8), torch.zeros(1, 101, 101, dtype=torch.uint8)
    truth[0, 0], prediction[0, rows, columns] = 1, 1
    (row,) = case_metrics(prediction, truth, CLASSES, SPACING)
    assert row["hd95"] == pytest.approx(95.0)


def test_relative_volume_difference_has_the_sign_of_the_prediction():
    double = box((1, 5), (2, 6), (2, 6))
    assert case_metrics(double, TRUTH, CLASSES, SPACING)[0]["rvd"] == pytest.approx(1.0)
    assert case_metrics(torch.zeros_like(TRUTH), TRUTH, CLASSES, SPACING)[0]["rvd"] == -1.0


def test_a_missed_case_has_dice_zero_and_no_distance():
    (row,) = case_metrics(torch.zeros_like(TRUTH), TRUTH, CLASSES, SPACING)
    assert (row["dice"], row["iou"], row["missed"]) == (0, 0, 1)
    assert math.isnan(row["hd95"])


@pytest.mark.parametrize(("prediction", "alarm"), [(SHIFTED, 1.0), (torch.zeros_like(TRUTH), 0.0)])
def test_empty_truth_is_counted_not_averaged(prediction, alarm):
    (empty,) = case_metrics(prediction, torch.zeros_like(TRUTH), CLASSES, SPACING)
    assert all(math.isnan(empty[name]) for name in ("dice", "iou", "rvd", "abs_rvd", "hd95", "missed"))
    assert (empty["empty_truth"], empty["false_alarm"]) == (1, alarm)
    (full,) = case_metrics(TRUTH, TRUTH, CLASSES, SPACING)
    summary = summarise([empty, full])["tumour"]
    assert summary["dice"] == {"mean": 1.0, "std": 0.0, "n": 1}
    assert summary["empty_truth"]["mean"] == 0.5 and summary["empty_truth"]["n"] == 2
    assert summary["false_alarm"] == {"mean": alarm, "std": 0.0, "n": 1}


def test_classes_are_apart():
    truth = TRUTH + box((4, 6), (8, 12), (8, 12), value=2)
    rows = case_metrics(TRUTH, truth, {1: "kidney", 2: "tumour"}, SPACING)
    assert [(row["class"], row["dice"]) for row in rows] == [("kidney", 1.0), ("tumour", 0.0)]


def test_hlfd_protocol_sees_target_slices_alone_and_smooths():
    prediction = TRUTH + box((4, 6), (0, 12), (0, 12))  # 288 false voxels in slices without target
    (whole,) = case_metrics(prediction, TRUTH, CLASSES, SPACING)
    (hlfd,) = case_metrics(prediction, TRUTH, CLASSES, SPACING, "hlfd")
    assert whole["dice"] == pytest.approx(64 / (320 + 32))
    assert hlfd["dice"] == pytest.approx((2 * 32 + 1) / (64 + 1)) == 1.0
    assert math.isnan(hlfd["hd95"])  # its slices need not be neighbours
    with pytest.raises(ValueError, match=r"protocol 'hlfd' is for volumes \(S, H, W\), found \(12, 12\)"):
        case_metrics(TRUTH[0], TRUTH[0], CLASSES, SPACING[1:], "hlfd")
    (half,) = case_metrics(SHIFTED, TRUTH, CLASSES, SPACING, "hlfd")
    assert half["dice"] == pytest.approx((2 * 16 + 1) / (64 + 1))


def test_shapes_must_be_equal():
    with pytest.raises(ValueError, match=r"prediction \(6, 12, 12\) and truth \(6, 12, 11\)"):
        case_metrics(TRUTH, TRUTH[..., :-1], CLASSES, SPACING)


def test_a_metric_without_cases_is_none():
    (row,) = case_metrics(TRUTH, TRUTH, CLASSES, SPACING)
    assert summarise([row])["tumour"]["false_alarm"] == {"mean": None, "std": None, "n": 0}


def test_standard_deviation_is_the_samples():
    rows = [{**case_metrics(TRUTH, TRUTH, CLASSES, SPACING)[0], "dice": value} for value in (0.2, 0.4, 0.9)]
    assert summarise(rows)["tumour"]["dice"] == pytest.approx({"mean": 0.5, "std": 0.36055512754639896, "n": 3})


def test_two_values_have_a_deviation_over_cases_and_over_patients():
    half, full = (case_metrics(prediction, TRUTH, CLASSES, SPACING)[0] for prediction in (SHIFTED, TRUTH))
    dice = summarise([half, full])["tumour"]["dice"]
    assert dice == {"mean": 0.75, "std": pytest.approx(0.5 / math.sqrt(2)), "n": 2}
    # two cases of one patient, one of another: 0.75 and 1
    rows = [{**half, "patient": "x"}, {**full, "patient": "x"}, {**full, "patient": "y"}]
    dice = summarise(rows)["tumour"]["dice"]
    assert dice["n"] == 3 and dice["patients"] == 2 and dice["mean_over_patients"] == pytest.approx(0.875)
    assert dice["std_over_patients"] == pytest.approx(0.25 / math.sqrt(2))
