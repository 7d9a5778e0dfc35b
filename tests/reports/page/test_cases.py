"""The worst cases: which slices are shown, and how cases are scored."""

import numpy as np
import pandas as pd
from PIL import Image

from medkd.reports.page.cases import Data, _slices, choose_cases, mean_dice


def test_slices_hold_labels_and_the_one_with_most_ground_truth_is_first():
    truth, prediction = np.zeros((40, 8, 8), np.uint8), np.zeros((40, 8, 8), np.uint8)
    truth[10:20, 2, 2] = 1
    truth[17, 2:5, 2:5] = 1
    prediction[25] = 1
    numbers, first = _slices(truth, [prediction], 5)
    assert numbers[first] == 17 and numbers[0] == 10 and numbers[-1] == 25 and len(numbers) == 5
    assert _slices(np.zeros((7, 4, 4)), [], 3) == ([0, 3, 6], 1)  # no label anywhere: all slices count


def test_the_score_of_a_case_is_the_mean_over_classes_without_absent_ones():
    table = pd.DataFrame({"case": ["a", "a", "b", "b", "c"], "dice": [0.2, 0.6, 0.5, np.nan, np.nan]})
    assert mean_dice(table).round(9).to_dict() == {"a": 40.0, "b": 50.0}
    assert mean_dice(pd.DataFrame()).empty


def test_pictures_of_16_bit_are_shown_with_the_window_of_the_network(tmp_path):
    stored = np.array([[0, 1000, 1500], [2000, 4000, 60000]], np.uint16)
    Image.fromarray(stored).save(tmp_path / "a.png")
    entries = {"a": {"image": str(tmp_path / "a.png")}}
    network_input = np.zeros((1, 32, 32), np.float32)
    shown = Data(entries, dict, window=(1000.0, 4000.0)).picture("a", network_input, stored.shape)
    assert shown.tolist() == [[[1000, 1000, 1500], [2000, 4000, 4000]]]
    # of another size than the file, as after --size, the input of the network is shown
    assert Data(entries, dict, window=(0.0, 1.0)).picture("a", network_input, (5, 5)).shape == (1, 32, 32)


def test_worst_median_and_best_are_chosen_in_this_order():
    scores = pd.Series({"a": 50.0, "b": 10.0, "c": 90.0, "d": 20.0, "e": 70.0, "gone": 0.0})
    data = Data({case: {} for case in "abcde"}, dict)
    assert choose_cases(scores, data, 4) == {"b": "worst", "d": "", "a": "median", "c": "best"}
    assert choose_cases(scores, data, 1) == {"b": "worst"}
    assert choose_cases(scores[["a"]], data, 4) == {"a": "worst"} and choose_cases(scores[:0], data, 4) == {}
