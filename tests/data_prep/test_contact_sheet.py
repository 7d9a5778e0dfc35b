import numpy as np
import pytest
from PIL import Image

from medkd.data.volume_store import write_volume
from medkd.data_prep._contact_sheet import COLUMNS, EDGE, GAP, LINE, PAGES, ROWS, write_contact_sheets
from medkd.io.colours import class_colour

PER_PAGE = COLUMNS * ROWS


@pytest.fixture
def picture(tmp_path):
    """The entry of a grey picture with a square of class 1, of which any number of cases may be made."""
    label = np.zeros((40, 60), np.uint8)
    label[10:30, 20:40] = 1
    Image.fromarray(np.full((40, 60), 90, np.uint8)).save(tmp_path / "image.png")
    Image.fromarray(label).save(tmp_path / "label.png")
    Image.fromarray(label * 0).save(tmp_path / "empty.png")
    return {"image": "image.png", "label": "label.png"}


def panel(path, index):
    """Return the pixels of the picture number ``index`` of a page."""
    left, top = GAP + index % COLUMNS * (EDGE + GAP), LINE + GAP + LINE + index // COLUMNS * (EDGE + LINE + GAP)
    return np.asarray(Image.open(path))[top : top + EDGE, left : left + EDGE]


def pixels_of(pixels, value):
    return int((pixels == class_colour(value)).all(-1).sum())


def test_each_case_is_drawn_once_the_odd_ones_first(tmp_path, picture):
    entries = [{**picture, "case": f"case_{number}"} for number in range(PER_PAGE + 2)]
    entries[7]["label"] = "empty.png"
    text = write_contact_sheets(tmp_path, entries, {"case_7": ["empty mask"]}, ["lesion"])
    assert text == f"report.png to report_2.png: all {PER_PAGE + 2} cases, odd ones first"
    assert sorted(path.name for path in tmp_path.glob("report*")) == ["report.png", "report_2.png"]
    outlines = [pixels_of(panel(tmp_path / "report.png", index), 1) for index in range(PER_PAGE)]
    assert outlines[0] == 0 and set(outlines[1:]) == {outlines[1]}
    # the square of 20 pixels is 53 of the 160 wide, and its outline has about four times as many
    assert 180 < outlines[1] < 240
    rest = [pixels_of(panel(tmp_path / "report_2.png", index), 1) for index in range(2)]
    assert rest == outlines[1:3]


def test_many_cases_are_sampled_and_the_text_says_so(tmp_path, picture):
    most = PER_PAGE * len(PAGES)
    entries = [{**picture, "case": str(number)} for number in range(most + 100)]
    text = write_contact_sheets(tmp_path, entries, {}, ["lesion"])
    assert text == f"report.png to {PAGES[-1]}: {most} of {most + 100} cases, evenly spread"
    assert {path.name for path in tmp_path.glob("report*")} == set(PAGES)


def test_a_volume_shows_the_middle_of_its_labelled_slices_in_mm(tmp_path):
    image = np.full((9, 20, 20), -160, np.int16)
    label = np.zeros(image.shape, np.uint8)
    image[6] = 240
    label[5:8, 4:16, 4:16] = 2
    write_volume(tmp_path / "image.b2nd", image, np.eye(4))
    write_volume(tmp_path / "label.b2nd", label, np.eye(4))
    entry = {"case": "a", "image": "image.b2nd", "label": "label.b2nd", "shape": [9, 20, 20]}
    entry |= {"spacing": [5.0, 1.0, 2.0], "slices_with": {"1": [], "2": [5, 6, 7]}}
    text = write_contact_sheets(tmp_path, [entry], {}, ["organ", "tumour"])
    assert text == "report.png: all 1 case, the middle slice of what is labelled"
    pixels = panel(tmp_path / "report.png", 0)
    assert pixels_of(pixels, 2) > 50 and pixels_of(pixels, 1) == 0
    # rows of 1 mm and columns of 2 mm: twice as wide as high, white around it; slice 6 is the white one
    assert (pixels[:30] == 255).all() and (pixels[-30:] == 255).all()
    middle = np.asarray(pixels[EDGE // 2, EDGE // 2])
    assert (middle == 255).all()
    # without labels: the middle of all slices, which is black
    del entry["label"], entry["slices_with"]
    write_contact_sheets(tmp_path, [entry], {}, [])
    assert (panel(tmp_path / "report.png", 0)[EDGE // 2] == 0).all()


def test_a_target_of_one_pixel_is_outlined(tmp_path):
    label = np.zeros((2000, 2000), np.uint8)
    label[700, 900] = 1
    Image.fromarray(np.zeros((2000, 2000), np.uint8)).save(tmp_path / "image.png")
    Image.fromarray(label).save(tmp_path / "label.png")
    write_contact_sheets(tmp_path, [{"case": "a", "image": "image.png", "label": "label.png"}], {}, ["lesion"])
    assert pixels_of(panel(tmp_path / "report.png", 0), 1) > 0
