"""The parts of the page: outlines, scales, slices, curves, predictions."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from medkd.reports.page.cases import _slices
from medkd.reports.page.curves import read_scalars
from medkd.reports.page.pictures import embed, outline_path
from medkd.reports.page.predictions import predictions
from medkd.reports.page.runs import run_facts
from medkd.reports.page.scales import scale
from medkd.reports.page.scatter import _case_plot
from medkd.reports.page.sortable_tables import _cell


def area(path: str) -> float:
    """Of the polygons of an SVG path of M, L and Z."""
    total = 0.0
    for polygon in path.split("Z")[:-1]:
        points = np.array([[float(v) for v in pair.split()] for pair in polygon[1:].split("L")])
        x, y = points.T
        total += abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    return total


def test_an_outline_lies_on_the_border_of_its_pixels():
    labels = np.zeros((20, 30), np.uint8)
    labels[2:12, 5:25] = 1
    labels[15:20, 0:6] = 2  # touches two edges
    points = outline_path(labels).replace("Z", "").replace("M", "L").split("L")[1:]
    numbers = np.array([[float(value) for value in pair.split()] for pair in points])
    assert numbers.min(axis=0).tolist() == [0, 2] and numbers.max(axis=0).tolist() == [25, 20]
    assert area(outline_path(labels)) == pytest.approx(10 * 20 + 5 * 6, abs=4)  # corners are cut
    assert outline_path(np.zeros((4, 4), np.uint8)) == ""


def test_pictures_are_small_and_true():
    pixels = np.zeros((600, 900, 3))
    pixels[:, :450, 0] = 1
    picture = embed(pixels, longest=300)
    assert (picture.width, picture.height) == (300, 200)
    back = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2]))).convert("RGB"))
    assert back.shape == (200, 300, 3) and back[100, 20, 0] > 240 and back[100, 280].max() < 15


def test_axes_hold_their_values_and_tell_them_exactly():
    axis = scale([0.31, 1.02], 0, 100)
    assert axis(axis.low) == 0 and axis(axis.high) == 100 and axis.low <= 0.31 and axis.high >= 1.02
    for pixel, text in axis.ticks:
        assert axis(float(text)) == pytest.approx(pixel, abs=1e-6)
    assert scale([2.0], 0, 10)(2.0) == pytest.approx(5, abs=1)


def test_slices_are_those_with_something_and_the_fullest_is_first():
    truth, other = np.zeros((40, 8, 8), np.uint8), np.zeros((40, 8, 8), np.uint8)
    truth[10:20, 2, 2] = 1
    truth[17, 2:5, 2:5] = 1
    other[25] = 1
    numbers, first = _slices(truth, [other], 5)
    assert numbers[first] == 17 and numbers[0] == 10 and numbers[-1] == 25 and len(numbers) == 5
    assert _slices(np.zeros((7, 4, 4)), [], 3) == ([0, 3, 6], 1)  # nothing anywhere: all slices alike


def test_curves_of_a_run_that_went_on_are_joined(tmp_path):
    for begin, value in ((1, 1.0), (3, 2.0)):
        with SummaryWriter(tmp_path, filename_suffix=f".{begin}") as writer:
            for epoch in range(begin, begin + 3):
                writer.add_scalar("loss", value, epoch)
    assert read_scalars(tmp_path)["loss"] == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 2.0)]


def test_cells_sort_by_their_number():
    assert _cell("-5.62 ± 10.33") == ("−5.62 ± 10.33", -5.62)
    assert _cell("6.3e-07 (2.5e-06)").number == 6.3e-07 and _cell("1,944,520").number == 1944520
    assert _cell("2 (1 collapsed)").number == 2 and _cell("-35%").number == -35
    assert _cell("no run ended").number is None and _cell("").number is None


def test_kept_predictions_are_read(made_experiment):
    run = next(run for run in run_facts(made_experiment) if run.task == "kidney" and run.ended)
    found, sentence = predictions(run.folder, [{"case": "case_a"}])
    assert found["case_a"].shape == (12, 32, 32) and sentence == ""


def test_plots_of_many_cases_keep_the_extremes_and_say_what_they_leave_out():
    names = [f"c{i}" for i in range(1000)]
    pairs = pd.DataFrame({"own": np.linspace(10, 90, 1000), "alone": 50.0}, index=names)
    plot = _case_plot("alone", "KD", pairs)
    texts = [dot.text for dot in plot.dots]
    assert len(texts) == 300 and texts[0].startswith("c0:") and texts[-1].startswith("c999:")
    assert "500 of 1000 cases better, 500 worse. Largest gain: c999 (+40.0). Largest loss: c0 (-40.0)." in plot.caption
    assert "300 dots are drawn" in plot.caption
    assert "Largest loss" not in _case_plot("alone", "KD", pairs[-3:]).caption
