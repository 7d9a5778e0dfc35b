"""The page in headless Chromium: it loads without errors, and what can be done on it works by mouse and by keyboard."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.reports.page.headless_chromium import open_browser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def driver(made_page, tmp_path_factory):
    driver = open_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def page(driver, made_page):
    """Freshly loaded: no test sees what another one clicked."""
    driver.set_window_size(1280, 900)
    driver.get(made_page.resolve().as_uri())
    return driver


def css(driver, selector):
    return driver.find_elements("css selector", selector)


def shown(elements):
    return [element for element in elements if element.is_displayed()]


def press(driver, element, key):
    driver.execute_script("arguments[0].focus()", element)
    driver.switch_to.active_element.send_keys(key)


def test_no_error_and_no_request(page, made_page):
    assert page.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    ours = made_page.resolve().as_uri()
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    # the browser's own start page asks for its own parts
    requested = {params["request"]["url"] for params in sent if params["documentURL"] == ours}
    assert ours in requested and {url for url in requested if not url.startswith("data:")} == {ours}


def test_every_picture_is_loaded(page):
    sizes = page.execute_async_script(
        """const done = arguments[0];
        const pictures = [...document.querySelectorAll("img")].map((img) => img.src);
        const drawn = [...document.querySelectorAll("svg image")].map((image) => image.href.baseVal);
        Promise.all([...pictures, ...drawn].map((uri) => new Promise((resolve) => {
          const image = new Image();
          image.onload = () => resolve(image.naturalWidth);
          image.onerror = () => resolve(0);
          image.src = uri;
        }))).then(done);"""
    )
    assert len(sizes) > 50 and min(sizes) > 0
    for image in css(page, "img"):
        assert page.execute_script("return arguments[0].naturalWidth", image) > 0
    # what is used from elsewhere in the page is really there
    assert page.execute_script(
        "return [...document.querySelectorAll('use')].every((use) => document.querySelector(use.getAttribute('href')))"
    )


def test_outlines_are_thin_whatever_the_size_of_the_picture(page):
    """The pictures of these tests have 32 pixels: a stroke in their units would be a broad band."""
    plot = shown(css(page, "#worst .slice svg"))[1]
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    with Image.open(io.BytesIO(plot.screenshot_as_png)) as picture:
        red, green, blue = np.moveaxis(np.asarray(picture.convert("RGB")).astype(int), -1, 0)
    # outlines of class 1, sky blue: about 40 units of 5 to 9 pixels, two pixels wide
    assert 100 < ((blue > 200) & (red < 130) & (green < 210)).sum() < 1500


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (800, "light"), (800, "dark")])
def test_nothing_is_wider_than_the_window(page, width, scheme):
    page.set_window_size(width, 900)
    page.execute_script("document.documentElement.dataset.theme = arguments[0]", scheme)
    assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert (
        page.execute_script(
            "return [...document.querySelectorAll('figure, .case, h1, h2, p, caption')]"
            ".filter((e) => !e.closest('.scroll, details') && e.getBoundingClientRect().right > innerWidth + 1).length"
        )
        == 0
    )


def rows(page):
    return [head.text for head in css(page, "#task0-table0 tbody th")]


def test_tables_sort_by_click_and_by_keyboard(page):
    heads = css(page, "#task0-table0 thead th")
    dice = next(
        head for head in heads if head.text.startswith("Dice, %") and "paper" not in head.text and "-" not in head.text
    )
    before = rows(page)
    assert before == ["Teacher", "Student alone", "PLC-KD", "HLFD", "KD <b>& co</b>", "Never"]
    button = dice.find_element("css selector", "button")
    button.click()
    assert dice.get_attribute("aria-sort") == "descending"
    descending = rows(page)
    assert descending == ["Teacher", "HLFD", "KD <b>& co</b>", "Student alone", "PLC-KD", "Never"]
    press(page, button, "\n")
    assert dice.get_attribute("aria-sort") == "ascending"
    assert rows(page) == ["PLC-KD", "Student alone", "KD <b>& co</b>", "HLFD", "Teacher", "Never"]  # a hole stays last
    press(page, heads[0].find_element("css selector", "button"), " ")
    assert rows(page) == sorted(before) and dice.get_attribute("aria-sort") == "none"


def image_of(viewer):
    picture = shown(viewer.find_elements("css selector", ".slice"))[0].find_element("css selector", "image")
    return picture.get_attribute("href")


def test_slices_are_paged_by_buttons_and_arrow_keys(page):
    viewer = css(page, "#worst [data-viewer]")[0]
    label, (back, forth) = viewer.find_element("css selector", "output"), viewer.find_elements("css selector", "button")
    assert label.text.startswith("slice 5 (")  # most of the truth
    first, picture = image_of(viewer), viewer.screenshot_as_png
    forth.click()
    assert label.text.startswith("slice 6 (") and image_of(viewer) != first and viewer.screenshot_as_png != picture
    assert {"slice 6" in caption.text for caption in shown(viewer.find_elements("css selector", "figcaption"))} == {
        True
    }
    press(page, viewer, "\ue012")  # left
    assert image_of(viewer) == first
    for _ in range(20):
        back.click()
    assert label.text.startswith("slice 3 (1 of 6") and back.get_attribute("aria-disabled") == "true"
    assert len(shown(viewer.find_elements("css selector", ".slice"))) == 1


def test_the_chosen_method_changes_all_its_parts(page):
    def visible():
        return {e.get_attribute("data-method") for e in shown(css(page, "[data-task='task0'][data-method]"))}

    assert visible() == {"HLFD"}
    other = css(page, "select[data-choose='task0']")
    for option in other[1].find_elements("css selector", "option"):
        if option.text == "PLC-KD":
            option.click()
    assert visible() == {"PLC-KD"}
    assert {select.get_attribute("value") for select in other} == {"PLC-KD"}
    # the other task keeps its own
    assert {e.get_attribute("data-method") for e in shown(css(page, "[data-task='task1'][data-method]"))} == {"HLFD"}


def test_light_and_dark(page):
    def ground():
        return page.execute_script("return getComputedStyle(document.body).backgroundColor")

    for scheme, expected in (("dark", "rgb(20, 23, 27)"), ("light", "rgb(255, 255, 255)")):
        feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
        assert ground() == expected
    button = page.find_element("id", "theme")
    button.click()
    assert ground() == "rgb(20, 23, 27)" and button.text == "Light"
    press(page, button, "\n")
    assert ground() == "rgb(255, 255, 255)"


def test_dots_tell_their_case(page):
    figure = css(page, ".caseplot")[0]
    plot, readout = figure.find_element("css selector", "svg"), figure.find_element("css selector", "output")
    press(page, plot, "\ue014")  # right
    first = readout.text
    assert first.startswith("case_b: Student alone 20.0, Teacher 80.0")
    press(page, plot, "\ue014")
    assert readout.text != first and "case_" in readout.text


def test_the_focus_can_be_seen(page):
    page.switch_to.active_element.send_keys("\ue004")  # tab: the link over the bar
    assert page.switch_to.active_element.get_attribute("class") == "skip"
    seen = []
    for _ in range(12):
        page.switch_to.active_element.send_keys("\ue004")
        seen.append(
            page.execute_script(
                "const style = getComputedStyle(document.activeElement);"
                "return [document.activeElement.tagName, style.outlineStyle, parseFloat(style.outlineWidth)]"
            )
        )
    assert {"A", "BUTTON", "SELECT"} <= {name for name, _, _ in seen}
    assert all(style == "solid" and width >= 2 for _, style, width in seen)
