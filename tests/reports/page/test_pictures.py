"""Pictures and outlines: outlines follow the borders of pixels, pictures keep their colours."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from medkd.reports.page.pictures import embed, outlines


def area(path: str) -> float:
    """Return the area of the polygons of an SVG path of M, L and Z."""
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
    organ, tumour = outlines(labels)
    assert [organ.colour, tumour.colour] == ["#56b4e9", "#d55e00"]
    points = (organ.path + tumour.path).replace("Z", "").replace("M", "L").split("L")[1:]
    numbers = np.array([[float(value) for value in pair.split()] for pair in points])
    assert numbers.min(axis=0).tolist() == [0, 2] and numbers.max(axis=0).tolist() == [25, 20]
    assert area(organ.path) == pytest.approx(10 * 20, abs=3)  # corners are cut
    assert area(tumour.path) == pytest.approx(5 * 6, abs=2)
    assert outlines(np.zeros((4, 4), np.uint8)) == []


def test_pictures_are_reduced_and_keep_their_colours():
    pixels = np.zeros((600, 900, 3))
    pixels[:, :450, 0] = 1
    picture = embed(pixels, longest=300)
    assert (picture.width, picture.height) == (300, 200)
    decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2]))).convert("RGB"))
    assert decoded.shape == (200, 300, 3) and decoded[100, 20, 0] > 240 and decoded[100, 280].max() < 15
