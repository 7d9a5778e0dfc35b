"""Which cases are rows, and that each run's prediction and Dice are in its own column."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medkd.visuals import comparison_figure, pick_quantiles, plot_comparison


def write_run(folder, dice, predictions):
    (folder / "predictions").mkdir(parents=True)
    pd.DataFrame([{"case": case, "class": "x", "dice": value} for case, value in dice.items()]).to_csv(
        folder / "metrics.csv", index=False
    )
    for case, layer in predictions.items():
        if layer.ndim == 3:
            nib.save(nib.Nifti1Image(layer, np.eye(4)), folder / f"predictions/{case}.nii.gz")
        else:
            Image.fromarray(layer * 255).save(folder / f"predictions/{case}.png")
    return folder


@pytest.fixture
def frames(tmp_path):
    """Six colour frames, of which the network sees half the size; one run predicts the truth, one a single row."""
    truth = {case: np.zeros((20, 24), np.uint8) for case in "abcdef"}
    for index, layer in enumerate(truth.values()):
        layer[4:12, 4 : 6 + index] = 1
    row = {case: np.zeros((20, 24), np.uint8) for case in truth}
    for layer in row.values():
        layer[2] = 1
    scores = {"a": 0.3, "b": 0.1, "c": 0.9, "d": 0.5, "e": float("nan"), "f": 0.7}
    runs = {
        "first": write_run(tmp_path / "first", dict.fromkeys(truth, 0.25), row),
        "last": write_run(tmp_path / "last", scores, truth),
    }
    data = [{"case": case, "image": np.random.rand(3, 10, 12), "label": layer[None]} for case, layer in truth.items()]
    return runs, data, truth


def table(figure, columns):
    return [figure.axes[start : start + columns] for start in range(0, len(figure.axes), columns)]


def test_quantiles():
    scores = pd.DataFrame(
        [("a", 0.9), ("a", 0.7), ("b", 0.1), ("c", 0.5), ("d", np.nan), ("e", 0.6)], columns=["case", "dice"]
    )
    assert pick_quantiles(scores, 4) == {
        "b": "quantile 0.00",
        "c": "quantile 0.33",
        "e": "quantile 0.67",
        "a": "quantile 1.00",
    }
    assert list(pick_quantiles(scores, 9)) == ["b", "c", "e", "a"]
    assert list(pick_quantiles(scores, 2)) == ["b", "a"]
    assert pick_quantiles(scores[scores["case"] != "b"], 1) == {"e": "quantile 0.50"}
    assert pick_quantiles(scores[scores["case"] == "d"], 4) == {}


def test_rows_are_cases_and_columns_are_runs(frames):
    runs, data, truth = frames
    figure = comparison_figure(runs, data, lambda entry: entry, count=3)
    rows = table(figure, 4)
    assert [axis.get_title() for axis in rows[0]] == ["image", "ground truth", "first", "last"]
    assert [row[0].get_ylabel() for row in rows] == ["b\nquantile 0.00", "d\nquantile 0.50", "c\nquantile 1.00"]
    assert "Dice of last" in figure.get_suptitle()
    for row, case, dice in zip(rows, "bdc", (0.1, 0.5, 0.9), strict=True):
        assert [axis.get_xlabel() for axis in row] == ["", "", "Dice 0.250", f"Dice {dice:.3f}"]
        assert [len(axis.images) for axis in row] == [1, 1, 2, 2]
        filled = [np.asarray(axis.images[1].get_array())[..., 3] > 0 for axis in row[2:]]
        assert filled[0][2].all() and filled[0].sum() == 24
        np.testing.assert_array_equal(filled[1], truth[case] > 0)
        assert [len(axis.collections) for axis in row] == [0, 2, 3, 3]  # outlines, those of the truth on white
        # the image, of half the size, covers the same place as what is drawn over it
        assert row[0].images[0].get_array().shape[:2] == (10, 12)
        assert row[0].images[0].get_extent() == row[2].images[1].get_extent()


def test_named_cases_in_their_order(frames, tmp_path):
    runs, data, _ = frames
    figure = comparison_figure(runs, data, lambda entry: entry, cases=["e", "a"])
    assert [row[0].get_ylabel() for row in table(figure, 4)] == ["e", "a"]
    assert "quantile" not in figure.get_suptitle()
    path = plot_comparison(runs, data, lambda entry: entry, tmp_path / "new/c.png", cases=["a"])
    assert path == tmp_path / "new/c.png" and path.stat().st_size > 1000


def test_a_volume_shows_the_slice_with_most_truth(tmp_path):
    truth = np.zeros((4, 20, 20), np.uint8)
    truth[1, 2:4, 2:4] = 1
    truth[2, 10:18, 4:12] = 1
    runs = {"run": write_run(tmp_path / "run", {"001": 0.25}, {"001": np.roll(truth, 6, axis=2)})}
    item = {"image": np.random.rand(1, 4, 20, 20), "label": truth[None], "case": "001"}
    row = comparison_figure(runs, [item], lambda entry: entry).axes
    assert row[0].get_ylabel() == "001, slice 2\nquantile 0.50"
    filled = np.asarray(row[2].images[1].get_array())[..., 3] > 0
    np.testing.assert_array_equal(filled, np.roll(truth[2], 6, axis=1) > 0)
    background = np.asarray(row[0].images[0].get_array()).squeeze()
    image = item["image"][0, 2]
    np.testing.assert_allclose(background, (image - image.min()) / np.ptp(image), atol=1e-5)


def test_errors(frames):
    runs, data, _ = frames
    with pytest.raises(ValueError, match=r"comparison_figure: case z is not in the data \(6 cases\)"):
        comparison_figure(runs, data, lambda entry: entry, cases=["a", "z"])
    pd.DataFrame([{"case": "a", "class": "x", "dice": np.nan}]).to_csv(runs["last"] / "metrics.csv", index=False)
    with pytest.raises(ValueError, match="comparison_figure: no case to show"):
        comparison_figure(runs, data, lambda entry: entry)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: "one", "runs: found 'one', expected titles and folders"),
        (lambda runs: {}, "expected titles and folders"),
        (lambda runs: {**runs, "third": "nowhere"}, "run third: no metrics.csv in nowhere"),
    ],
)
def test_runs_that_are_none(frames, change, message):
    runs, data, _ = frames
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        comparison_figure(change(runs), data, dict)


def test_a_case_that_a_run_has_not_and_a_count_of_none(frames):
    runs, data, _ = frames
    table = pd.read_csv(runs["first"] / "metrics.csv")
    table[table["case"] != "c"].to_csv(runs["first"] / "metrics.csv", index=False)
    with pytest.raises(ValueError, match="case c is not in the results of run first"):
        comparison_figure(runs, data, dict, cases=["c"])
    with pytest.raises(ValueError, match="count: found 0, expected 1 or more"):
        comparison_figure(runs, data, dict, count=0)
