"""The worst cases: which slices are shown, and how cases are scored."""

import numpy as np
import pandas as pd

from medkd.reports.page.cases import _slices, mean_dice


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
