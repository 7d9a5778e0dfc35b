"""Which cases are shown, and that truth and prediction are where they belong in the picture."""

import nibabel as nib
import numpy as np
import pandas as pd
from matplotlib.image import imread

from medkd.io import class_colour
from medkd.visuals import pick_cases, plot_runs
from medkd.visuals._evaluated import EvaluatedCase, truth_words
from medkd.visuals.run_figures import _arrange


def test_worst_median_and_best_by_mean_dice():
    rows = [("a", 0.9), ("a", 0.7), ("b", 0.1), ("c", 0.5), ("d", float("nan")), ("e", 0.6)]
    table = pd.DataFrame(rows, columns=["case", "dice"])
    assert pick_cases(table) == {"worst": "b", "median": "e", "best": "a"}
    assert pick_cases(table[table["case"] == "d"]) == {}


def test_outlines_are_drawn_on_the_slice_with_most_truth(tmp_path):
    truth = np.zeros((4, 20, 20), np.uint8)
    truth[1, 2:4, 2:4] = 1
    truth[2, 10:18, 4:12] = 1
    prediction = np.roll(truth, 6, axis=2) * 2
    (tmp_path / "predictions").mkdir()
    nib.save(nib.Nifti1Image(prediction, np.eye(4)), tmp_path / "predictions/c1.nii.gz")
    pd.DataFrame([{"case": "c1", "class": name, "dice": 0.25} for name in ("organ", "tumour")]).to_csv(
        tmp_path / "metrics.csv", index=False
    )
    item = {"image": np.zeros((1, 4, 20, 20)), "label": truth[None], "case": "c1"}
    files = plot_runs({"run": tmp_path}, [item], lambda entry: entry, tmp_path / "overlays")
    assert [file.name for file in files] == ["worst_c1.png", "median_c1.png", "best_c1.png"]
    picture = imread(files[0])[..., :3]
    picture = picture[: -picture.shape[0] // 8]  # without the legend
    blue, red = (np.abs(picture - np.divide(class_colour(value), 255)).max(axis=-1) < 0.15 for value in (1, 2))
    middle = picture.shape[1] // 2
    assert blue[:, :middle].any() and not red[:, :middle].any()  # the first panel is the truth alone
    assert blue[:, middle:].any() and red[:, middle:].any()
    # the prediction lies six columns of twenty to the right
    columns = [np.nonzero(mask[:, middle:].any(axis=0))[0].mean() for mask in (blue, red)]
    assert columns[1] - columns[0] > 0.1 * middle


def test_labels_of_a_teacher_are_not_called_ground_truth():
    table = pd.DataFrame({"case": ["a"], "class": ["organ"], "dice": [0.5], "reference": ["teacher"]})
    labels = np.eye(8, dtype=np.uint8)
    words = truth_words({"run": table})
    case = EvaluatedCase("a", np.zeros((1, 8, 8)), labels, {"run": labels}, {"run": 0.5}, words)
    figure = _arrange(case, "worst", table)
    texts = [figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)]
    assert "worst case by agreement (Dice)" in texts[0] and "dashed: teacher's label map" in texts[0]
    assert texts[1:3] == ["teacher's label map", "run agreement (Dice) 0.500"]
