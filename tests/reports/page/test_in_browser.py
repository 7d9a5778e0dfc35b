"""The page in headless Chromium: it loads without errors, and what can be done on it works by mouse and by keyboard."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.reports.page.headless_chromium import open_browser

pytestmark = pytest.mark.slow
selenium_wait = pytest.importorskip("selenium.webdriver.support.wait")
WebDriverWait = selenium_wait.WebDriverWait


@pytest.fixture(scope="module")
def driver(made_page, tmp_path_factory):
    driver = open_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def page(driver, made_page):
    """Freshly loaded, with every part open: no test sees what another one clicked."""
    resize(driver, 1280)
    driver.get(made_page.resolve().as_uri())
    driver.execute_script("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    return driver


def resize(driver, width):
    """Windows of a browser have a least width; the screen of a phone has none."""
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


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
    plot = shown(css(page, "#cases .slice svg"))[1]
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    with Image.open(io.BytesIO(plot.screenshot_as_png)) as picture:
        red, green, blue = np.moveaxis(np.asarray(picture.convert("RGB")).astype(int), -1, 0)
    # outlines of class 1, sky blue: about 40 units of 5 to 9 pixels, two pixels wide
    assert 100 < ((blue > 200) & (red < 130) & (green < 210)).sum() < 1500


WINDOWS = [(width, scheme) for width in (390, 1280, 1920) for scheme in ("light", "dark")]


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_nothing_is_wider_than_the_window_and_all_text_has_contrast(page, width, scheme):
    resize(page, width)
    page.execute_script("document.documentElement.dataset.theme = arguments[0]", scheme)
    assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    wide = """return [...document.querySelectorAll('body *')].filter((e) => !e.closest('.scroll, pre, .skip, svg'))
        .filter((e) => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1)
        .map((e) => e.outerHTML.slice(0, 90))"""
    assert page.execute_script(wide) == []
    # the method stands beside teacher and student, and not outside
    heads = shown(css(page, "#task0-triplet0 thead th"))
    assert len(heads) == 3 and heads[-1].rect["x"] + heads[-1].rect["width"] <= width
    assert page.execute_script(CONTRAST) == []
    assert page.get_log("browser") == []


CONTRAST = """
const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255, v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
  if (c.length === 3 || c[3] === 1) return c.slice(0, 3); } return [255, 255, 255]; };
const poor = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const e = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || !e.getClientRects().length) continue;
  if (e.closest("script, style, title, .ramp, .skip")) continue;
  const style = getComputedStyle(e);
  const ink = parse(e.closest("svg") ? style.fill : style.color);
  const [a, b] = [light(ink), light(ground(e))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) poor.push([walker.currentNode.textContent.trim().slice(0, 30), e.className]);
}
return poor;
"""


def test_parts_are_opened_by_the_links_of_the_bar(driver, made_page):
    driver.get(made_page.resolve().as_uri())
    folds = css(driver, "details.fold")
    assert folds and not any(fold.get_attribute("open") for fold in folds)
    assert not css(driver, "#curves .curve")[0].is_displayed()
    css(driver, ".bar a[href='#curves']")[0].send_keys("\n")
    assert css(driver, "#curves .curve")[0].is_displayed() and not css(driver, "#tables table")[0].is_displayed()
    assert css(driver, "#cases .slice svg")[0].is_displayed()


def test_help_is_shown_on_focus_within_the_window(page):
    resize(page, 390)
    for tip in css(page, ".tip"):
        text = tip.find_element("css selector", "[role=tooltip]")
        button = tip.find_element("css selector", "button")
        if not button.is_displayed():
            continue
        assert not text.is_displayed()
        page.execute_script("arguments[0].focus()", button)
        assert text.is_displayed() and len(text.text) > 20
        assert text.rect["x"] >= 0 and text.rect["x"] + text.rect["width"] <= 390


def test_figures_are_saved_as_picture_and_numbers_without_a_network(page, tmp_path):
    page.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    figures = [css(page, "figure.forest")[0], css(page, "figure.curve")[0], css(page, "figure.caseplot")[0]]
    for figure in figures:
        for kind in ("csv", "png"):
            press(page, figure.find_element("css selector", f"[data-save={kind}]"), "\n")
    names = {
        f"{stem}.{kind}"
        for stem in ("difference_skin_tumour", "Loss_skin", "cases_skin_Teacher")
        for kind in ("csv", "png")
    }
    WebDriverWait(page, 20).until(lambda _: names <= {file.name for file in tmp_path.iterdir()})
    assert pd.read_csv(tmp_path / "difference_skin_tumour.csv")["row"].tolist()[:2] == ["Teacher", "PLC-KD"]
    for name in names:
        if name.endswith(".png"):
            with Image.open(tmp_path / name) as picture:
                pixels = np.asarray(picture.convert("RGB")).astype(int)
            assert (
                pixels.shape[1] >= 600 and 0.5 < (pixels.sum(axis=-1) > 700).mean() < 0.995
            )  # lines on a white ground
    assert page.get_log("browser") == []


def saved_case(page, folder, case):
    press(page, case.find_element("css selector", "[data-save=png]"), "\n")
    WebDriverWait(page, 20).until(lambda _: list(folder.glob("*.png")))
    (file,) = folder.glob("*.png")
    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    file.unlink()
    return pixels


def test_what_is_seen_of_a_case_is_saved_as_one_picture(page, tmp_path):
    page.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    for case in (css(page, "#attention .case")[0], css(page, "#cases .case")[0]):
        seen = shown(case.find_elements("css selector", "svg"))
        pixels = saved_case(page, tmp_path, case)
        assert pixels.shape[1] > len(seen) * 300 and pixels.shape[0] >= 428
    press(page, case.find_element("css selector", "[data-view=errors]"), "\n")
    assert (saved_case(page, tmp_path, case) != pixels).any()  # the picture follows the page
    assert page.get_log("browser") == []


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
    viewer = css(page, "#cases [data-viewer]")[0]
    label, (back, forth) = (
        viewer.find_element("css selector", "output"),
        viewer.find_elements("css selector", "[data-step]"),
    )
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
    figure = css(page, "#scatter .caseplot")[0]
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


def test_zoom_and_errors_of_a_volume(page):
    viewer = css(page, "#cases [data-viewer]")[0]
    svg = shown(viewer.find_elements("css selector", "svg[data-near]"))[1]
    zoom, errors = viewer.find_elements("css selector", "[data-view]")
    missed, marks = svg.find_element("css selector", ".missed"), svg.find_elements("css selector", ".marks")
    assert not missed.is_displayed() and [mark.is_displayed() for mark in marks] == [True, False]
    assert "10 mm" in marks[0].text
    whole = svg.get_dom_attribute("viewBox")
    press(page, zoom, "\n")
    assert svg.get_dom_attribute("viewBox") == svg.get_attribute("data-near") != whole
    assert zoom.get_attribute("aria-pressed") == "true" and [mark.is_displayed() for mark in marks] == [False, True]
    errors.click()
    assert missed.is_displayed() and not svg.find_element("css selector", ".prediction").is_displayed()
    zoom.click()
    assert svg.get_dom_attribute("viewBox") == whole
