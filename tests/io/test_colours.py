"""Colours of classes: fixed, different for each class, and told apart without red or green cones."""

from itertools import combinations

import numpy as np
import pytest
from skimage.color import rgb2lab

from medkd.io import class_colour, class_colour_code

# Viénot, Brettel and Mollon, 1999: what dichromats see of linear RGB, without long and without middle wave cones.
PROTAN = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
DEUTAN = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])


def seen(value, cones):
    linear = (np.divide(class_colour(value), 255)) ** 2.2
    return rgb2lab(np.clip(cones @ linear, 0, 1) ** (1 / 2.2))


@pytest.mark.parametrize("cones", [np.eye(3), PROTAN, DEUTAN], ids=["all", "protan", "deutan"])
def test_seven_classes_are_told_apart_by_everybody(cones):
    colours = [seen(value, cones) for value in range(1, 8)]
    assert min(np.linalg.norm(a - b) for a, b in combinations(colours, 2)) > 12


def test_every_class_of_a_label_map_has_a_colour_of_its_own():
    colours = [class_colour(value) for value in range(1, 256)]
    assert len(set(colours)) == 255 and all(0 <= channel <= 255 for colour in colours for channel in colour)
    assert class_colour_code(1) == "#56b4e9"


@pytest.mark.parametrize("value", [0, -1])
def test_the_background_has_none(value):
    with pytest.raises(ValueError, match=f"found {value}, expected the value of a class"):
        class_colour(value)
