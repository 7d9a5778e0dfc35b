"""NSD, ECE and lesions against other formulas, by hand, and their corner cases."""

import math

import numpy as np
import pytest
import torch
from monai.metrics import CalibrationErrorMetric
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.measure import label

from medkd.metrics import (
    CalibrationBinsd,
    calibration_bins,
    case_metrics,
    expected_calibration_error,
    lesion_metrics,
    metric_names,
    summarise,
    surface_dice,
)


def box(shape, *edges):
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[tuple(slice(*edge) for edge in edges)] = True
    return mask


def smooth(shape, seed):
    return torch.from_numpy(gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2) > 0.02)


class TestSurfaceDice:
    def test_a_shifted_box_of_anisotropic_voxels_by_hand(self):
        """Faces of 4 mm thick slices: one slice off, the top and the bottom are 4 mm away, the sides agree."""
        truth = box((12, 24, 24), (3, 9), (5, 19), (5, 19))
        prediction = box((12, 24, 24), (3, 10), (5, 19), (5, 19))
        spacing = (4.0, 1.0, 1.0)
        assert surface_dice(prediction, truth, spacing, tolerance=4.0) == 1.0
        below = surface_dice(prediction, truth, spacing, tolerance=3.0)
        # a box has 4 sides and 2 ends, an end is off in both: the mm² that agree over all mm²
        sides, ends = (4 * 14 * 4 * 6, 4 * 14 * 4 * 7), 2 * 14 * 14
        assert below == pytest.approx((sum(sides) + ends) / (sum(sides) + 2 * ends), abs=0.04)

    @pytest.mark.parametrize("tolerance", [0.5, 1.0, 2.0])
    def test_agrees_with_distances_of_voxel_boundaries(self, tolerance):
        """Elements of a surface lie between voxels: brute force over the corners where a mask changes, in 2-D."""
        truth, prediction = smooth((30, 32), 0), smooth((30, 32), 1)
        spacing = (1.0, 1.0)

        def corners(mask):
            """Return which groups of 2 x 2 pixels are cut by the outline, and the outline's length in each of them."""
            padded = np.pad(mask.numpy(), 1)
            cells = np.stack([padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]])
            total, diagonal = cells.sum(0), (cells[0] == cells[3]) & (cells[1] == cells[2])
            half = math.sqrt(2) / 2
            lengths = np.select(
                [total == 1, total == 3, (total == 2) & diagonal, total == 2], [half, half, 2 * half, 1.0]
            )
            return lengths

        lengths = corners(truth), corners(prediction)
        distance = [distance_transform_edt(length == 0, sampling=spacing) for length in lengths]
        agree = sum(length[other <= tolerance].sum() for length, other in zip(lengths, reversed(distance), strict=True))
        expected = agree / sum(length.sum() for length in lengths)
        assert surface_dice(prediction, truth, spacing, tolerance) == pytest.approx(expected, abs=1e-6)

    def test_empty_masks(self):
        full, empty = box((6, 6, 6), (2, 4), (2, 4), (2, 4)), torch.zeros(6, 6, 6, dtype=torch.bool)
        assert surface_dice(empty, full, (1, 1, 1), 2.0) == 0.0
        assert math.isnan(surface_dice(full, empty, (1, 1, 1), 2.0))
        assert math.isnan(surface_dice(empty, empty, (1, 1, 1), 2.0))
        assert surface_dice(~empty, ~empty, (1, 1, 1), 0.0) == 1.0


class TestCalibration:
    @pytest.mark.parametrize("shape", [(7, 20, 21), (40, 41)])
    @pytest.mark.parametrize("classes", [2, 4])
    def test_ece_is_that_of_monai_and_of_a_loop(self, shape, classes, monkeypatch):
        monkeypatch.setattr("medkd.metrics.calibration._CHUNK", 997)
        torch.manual_seed(0)
        logits, truth = 2 * torch.randn(classes, *shape), torch.randint(0, classes, shape)
        found = [expected_calibration_error(sums) for sums in calibration_bins(logits, truth)]
        metric = CalibrationErrorMetric(num_bins=20, include_background=False, metric_reduction="none")
        one_hot = torch.nn.functional.one_hot(truth, classes).movedim(-1, 0)[None].float()
        assert found == pytest.approx(metric(logits.softmax(0)[None], one_hot)[0].tolist(), abs=1e-6)
        for value, error in enumerate(found, start=1):
            p, y = logits.softmax(0)[value].flatten().double().numpy(), (truth == value).flatten().numpy()
            bins = np.minimum((p * 20).astype(int), 19)
            terms = [abs(p[bins == b].sum() - y[bins == b].sum()) for b in range(20)]
            assert error == pytest.approx(sum(terms) / len(p), abs=1e-6)

    def test_counts_above_the_range_of_float32(self):
        """float32 counts stop at 2^24 = 16,777,216."""
        n = 2**24 + 2**20
        sums = calibration_bins(torch.zeros(2, 1).expand(2, n), torch.zeros(1, dtype=torch.uint8).expand(n))
        assert sums[0, 0].sum() == n and sums[0, 1].sum() == n / 2

    def test_half_precision_and_sure_answers(self):
        logits = torch.tensor([[-1e4, 0.02, 1e4], [1e4, 0.04, -1e4]], dtype=torch.float16)
        sums = calibration_bins(logits, torch.tensor([1, 1, 0]))[0]
        assert sums[0].tolist() == [1, *[0] * 9, 1, *[0] * 8, 1]
        assert expected_calibration_error(sums) == pytest.approx(0.495 / 3, abs=1e-5)

    def test_empty_ground_truth_and_no_voxels(self):
        sums = calibration_bins(torch.tensor([[0.0], [0.0]]), torch.tensor([0]))
        assert expected_calibration_error(sums[0]) == 0.5
        assert math.isnan(expected_calibration_error(np.zeros((3, 20))))

    def test_labels_have_no_calibration(self):
        labels = torch.zeros(1, 3, 4, 5, dtype=torch.uint8)
        with pytest.raises(ValueError, match="metrics: ece needs the logits of the network"):
            CalibrationBinsd("pred")({"pred": labels, "label": labels})

    def test_protocol_hlfd_counts_slices_with_the_target(self):
        logits, truth = torch.randn(2, 3, 4, 5), torch.zeros(1, 3, 4, 5, dtype=torch.uint8)
        truth[0, 1, 0, 0] = 1
        item = CalibrationBinsd("pred", protocol="hlfd")({"pred": logits, "label": truth})
        assert np.array_equal(item["calibration"], calibration_bins(logits[:, 1:2], truth[0, 1:2]))


class TestLesions:
    def test_a_lesion_is_found_by_one_voxel(self):
        truth, prediction = torch.zeros(1, 5, 12, dtype=torch.bool), torch.zeros(1, 5, 12, dtype=torch.bool)
        truth[0, 0, :2] = truth[0, 2, 4:6] = truth[0, 4, 9:] = True
        prediction[0, 0, 1:8] = True  # touches the first lesion
        prediction[0, 4, 9] = prediction[0, 4, 11] = True  # two components in the third one
        prediction[0, 4, 0] = True  # false
        metrics = lesion_metrics(prediction, truth)
        assert metrics == {
            "lesion_sensitivity": 2 / 3,
            "lesion_precision": 3 / 4,
            "lesions_truth": 3,
            "lesions_found": 2,
            "lesions_predicted": 4,
            "lesions_false": 1,
        }

    def test_agrees_with_a_loop_over_components_of_scikit_image(self):
        rng = np.random.default_rng(0)
        prediction, truth = (rng.random((8, 20, 20)) > 0.97 for _ in range(2))
        of_truth, of_prediction = label(truth), label(prediction)
        found = sum(prediction[of_truth == i].any() for i in range(1, of_truth.max() + 1))
        right = sum(truth[of_prediction == i].any() for i in range(1, of_prediction.max() + 1))
        metrics = lesion_metrics(torch.from_numpy(prediction), torch.from_numpy(truth))
        assert metrics["lesion_sensitivity"] == found / of_truth.max() and 0 < found < of_truth.max()
        assert metrics["lesion_precision"] == right / of_prediction.max()

    @pytest.mark.parametrize(
        ("predicted", "true", "sensitivity", "precision"),
        [(0, 0, math.nan, math.nan), (1, 0, math.nan, 0.0), (0, 1, 0.0, math.nan), (1, 1, 1.0, 1.0)],
    )
    def test_empty_masks(self, predicted, true, sensitivity, precision):
        masks = (torch.full((2, 3, 4), bool(value)) for value in (predicted, true))
        metrics = lesion_metrics(*masks)
        assert metrics["lesion_sensitivity"] == pytest.approx(sensitivity, nan_ok=True)
        assert metrics["lesion_precision"] == pytest.approx(precision, nan_ok=True)


def test_columns_come_on_request_and_are_summarised():
    truth = torch.zeros(4, 8, 8, dtype=torch.uint8)
    truth[1:3, 2:6, 2:6] = 1
    default = case_metrics(truth, truth, {1: "a"}, (5.0, 1.0, 1.0))[0]
    row = case_metrics(truth, truth, {1: "a"}, (5.0, 1.0, 1.0), extra=("nsd", "lesions"), nsd_mm=3.0)[0]
    assert list(row)[: len(default)] == list(default) and "nsd" not in default
    assert (row["nsd"], row["nsd_tolerance"], row["lesion_sensitivity"], row["lesions_truth"]) == (1.0, 3.0, 1.0, 1.0)
    assert set(summarise([row])["a"]) - set(summarise([default])["a"]) == {
        *("nsd", "lesion_sensitivity", "lesion_precision"),
        *("lesions_truth", "lesions_found", "lesions_predicted", "lesions_false"),
    }


def test_distances_and_lesions_of_chosen_slices_are_unknown():
    truth = torch.zeros(4, 8, 8, dtype=torch.uint8)
    truth[1, 2:6, 2:6] = 1
    row = case_metrics(truth, truth, {1: "a"}, (5.0, 1.0, 1.0), "hlfd", extra=("nsd", "lesions"))[0]
    assert row["dice"] == 1.0 and math.isnan(row["nsd"]) and math.isnan(row["lesion_precision"])


def test_names_of_metrics():
    assert metric_names("nsd, ece,nsd") == ("nsd", "ece") and metric_names(["lesions"]) == ("lesions",)
    assert metric_names(None) == metric_names("") == ()
    with pytest.raises(ValueError, match="metrics: found 'hd', expected some of nsd, ece, lesions"):
        metric_names("nsd,hd")
