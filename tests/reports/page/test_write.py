"""The page: complete in one file, holes shown, every picture named."""

import copy
import re
import shutil
from html.parser import HTMLParser

import pytest

from medkd.reports.page import write_page
from medkd.reports.tables import Experiment, write_report

VOID = {"meta", "img", "br", "input", "link"}


class Tree(HTMLParser):
    """Tags with attributes and text, and what stands within what; refuses tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.items = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        item = {"tag": tag, "attributes": dict(attributes), "text": "", "within": list(self.open)}
        self.items.append(item)
        if tag not in VOID:
            self.open.append(item)

    def handle_startendtag(self, tag, attributes):
        self.items.append({"tag": tag, "attributes": dict(attributes), "text": "", "within": list(self.open)})

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for item in self.open:
            item["text"] += data

    def all(self, *tags):
        return [item for item in self.items if item["tag"] in tags]


@pytest.fixture(scope="module")
def tree(made_page):
    return Tree(made_page.read_text(encoding="utf-8"))


def within(item, tag):
    return next((outer for outer in reversed(item["within"]) if outer["tag"] == tag), None)


def test_nothing_is_fetched(made_page, tree):
    text = made_page.read_text(encoding="utf-8")
    for item in tree.items:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            value = item["attributes"].get(name)
            assert value is None or value.startswith("#" if item["tag"] in ("a", "use") else "data:image/webp;base64,")
    assert not tree.all("link", "iframe", "object", "embed", "base", "form")
    assert all("src" not in item["attributes"] for item in tree.all("script"))
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttpRequest|localStorage", text)
    policy = next(i for i in tree.all("meta") if i["attributes"].get("http-equiv") == "Content-Security-Policy")
    assert policy["attributes"]["content"].startswith("default-src 'none'; img-src data:;")
    assert len(tree.all("img")) == 4 and len(tree.all("image")) > 50


def test_names_are_text_and_never_markup(tree):
    assert any(item["text"].strip() == "KD <b>& co</b>" for item in tree.all("option"))
    assert tree.all("h1")[0]["text"] == "Made <runs>"
    assert any("batch_size 0 <found>" in item["text"] for item in tree.all("code"))


def test_ids_are_unique_and_links_lead_somewhere(tree):
    ids = [item["attributes"]["id"] for item in tree.items if "id" in item["attributes"]]
    assert len(ids) == len(set(ids))
    assert {item["attributes"]["href"][1:] for item in tree.all("a", "use")} <= set(ids)


def test_the_sections_stand_in_their_order(tree):
    order = ["summary", "cases", "tables", "scatter", "correction", "attention", "curves", "runs"]
    assert [item["attributes"]["id"] for item in tree.all("section")] == order


def test_failed_runs_are_shown_everywhere(tree):
    sections = {item["attributes"]["id"]: item["text"] for item in tree.all("section")}
    assert "skin: 2 runs did not end." in sections["summary"] and "8 of 10 runs ended" in sections["summary"]
    assert "HLFD, seed 1: began and did not end" in sections["summary"]
    assert "Never, seed 0: left no result; last line of its log: medkd: error: batch_size 0" in sections["summary"]
    assert sections["tables"].count("no run ended") == 8  # two metrics, two tasks, the table and its transposed form
    assert sections["summary"].count("No run of Never has ended") == 2
    assert sections["tables"].count("Runs that did not end: HLFD (seed 1); Never (seed 0).") == 2
    assert "no prediction: no run ended" in sections["cases"]
    assert "Never: no Grad-CAM, no run ended." in sections["attention"]
    assert "It left no config.yaml." in sections["runs"]


def test_the_first_screen_has_title_data_classes_verdict_and_forest_plot(tree):
    (subtitle,) = (item["text"] for item in tree.all("p") if item["attributes"].get("class") == "subtitle")
    assert "skin, class tumour: 8 of 10 runs ended" in subtitle and "kidney" in subtitle and " UTC" in subtitle
    sentences = [item["text"] for item in tree.all("p") if item["attributes"].get("class") == "sentence"]
    assert len(sentences) == 2 * 4  # methods of both tasks
    assert (
        "HLFD is 10.0 points of Dice above Student alone, but one seed cannot tell whether that is chance." in sentences
    )
    figures = [item["text"] for item in tree.all("li") if "kept" in item["text"]]
    assert any(text.startswith("67 %of the teacher's Dice kept53.3 %, the teacher 80.0 %") for text in figures)
    forests = [item for item in tree.all("figure") if "forest" in item["attributes"].get("class", "")]
    assert len(forests) == 2 and forests[0]["attributes"]["data-csv"].startswith("row,seeds,difference,difference_low")
    # from Student alone 43.3 and 45.3 to PLC-KD 40 and 42
    assert "PLC-KD −3.3" in next(i for i in tree.all("svg") if forests[0] in i["within"])["attributes"]["aria-label"]


def test_what_is_below_the_cases_is_closed_at_first(tree):
    folds = [item for item in tree.all("details") if item["attributes"].get("class") == "fold"]
    closed = [within(fold, "section")["attributes"]["id"] for fold in folds if "open" not in fold["attributes"]]
    assert closed == ["tables", "scatter", "correction", "attention", "curves", "runs"]


def test_every_plot_can_be_saved_with_its_numbers(tree):
    plots = [item for item in tree.all("figure") if "data-csv" in item["attributes"]]
    assert len(plots) == 2 * (1 + 1 + 4 + 2)  # forest, runs, cases of four rows, curves of loss and validation
    cases = [item for item in tree.all("article") if "data-name" in item["attributes"]]  # pictures without numbers
    buttons = [item["attributes"]["data-save"] for item in tree.all("button") if "data-save" in item["attributes"]]
    assert buttons.count("csv") == len(plots) and buttons.count("png") == len(plots) + len(cases)
    assert all(len(plot["attributes"]["data-csv"].splitlines()) > 2 for plot in plots)


def test_dice_is_in_percent_everywhere_and_axes_have_titles(tree):
    curves = [
        i for i in tree.all("svg") if within(i, "section")["attributes"]["id"] == "curves" and "role" in i["attributes"]
    ]
    texts = [text for text in tree.all("text") if text["attributes"].get("class") == "title"]
    titles = [[text["text"] for text in texts if curve in text["within"]] for curve in curves]
    assert titles == [["epoch", "loss"], ["epoch", "Dice, %"]] * 2
    validation = next(i for i in tree.all("figure") if i["attributes"].get("data-name", "").startswith("Validation"))
    assert validation["attributes"]["data-csv"].splitlines()[1].startswith("Teacher,0,1,20.0")
    spans = [t["text"] for t in tree.all("text") if "the axis shows" in t["text"]]
    assert len(spans) == 2 * 2 and all("not 0" in text for text in spans)


def test_collapsed_runs_are_named(tree):
    (summary,) = (item["text"] for item in tree.all("section") if item["attributes"]["id"] == "summary")
    assert "skin: 1 run collapsed" in summary and summary.count("KD <b>& co</b>, seed 1: tumour") == 2
    assert "seed 0: tumour" not in summary


def test_deviation_is_said_to_be_over_seeds(tree):
    captions = [
        item["text"] for item in tree.all("caption") if within(item, "table")["attributes"].get("class") == "triplet"
    ]
    assert len(captions) == 2 and all("± is the deviation over seeds, never over cases" in text for text in captions)
    cells = [item["text"] for item in tree.all("td")]
    # PLC-KD: 40 and 42 of 100, of two runs; HLFD has one that ended, hence no deviation
    assert "41.00 ± 1.41" in cells and "53.33" in cells


def test_published_figures_stand_beside_and_conditions_are_told(tree):
    headings = [item["text"] for item in tree.all("th")]
    cells = [item["text"] for item in tree.all("td")]
    assert "52.18 ± 2.55" in cells and not {"nan", "None"} & set(cells)
    assert "Dice, % (paper†)" in headings
    kits = [item["text"] for item in tree.all("p") if "Not the paper's conditions" in item["text"]]
    assert kits and "image_size 32 x 32" in kits[0]


def test_every_picture_and_dot_names_its_case(tree):
    captions_of = {}
    for caption in tree.all("figcaption"):
        captions_of.setdefault(id(within(caption, "figure")), []).append(caption)
    for figure in tree.all("figure"):
        section = within(figure, "section")["attributes"]["id"]
        captions = captions_of[id(figure)]
        assert len(captions) == 1
        if section in ("cases", "attention", "correction"):
            assert re.search(r"case_[abct]", captions[0]["text"])
        if section == "cases" and within(figure, "div")["attributes"]["data-label"].startswith("slice None"):
            assert "slice" not in captions[0]["text"]
        elif section == "cases":
            assert re.search(r"slice \d+", captions[0]["text"])
    dots = [i for i in tree.all("circle") if within(i, "section")["attributes"]["id"] == "scatter"]
    of_dots = set(map(id, dots))
    titles = [i["text"] for i in tree.all("title") if id(within(i, "circle")) in of_dots]
    assert len(dots) == len(titles) == 2 * 4 * 3
    assert any(text == "case_b: Student alone 21.0, PLC-KD 71.0 (+50.0)" for text in titles)


def test_cases_are_ordered_by_the_chosen_method(tree):
    chosen = [i["text"] for i in tree.all("option") if "selected" in i["attributes"]]
    assert set(chosen) == {"HLFD"}  # the plan's last method of a paper, neither the best nor the last row
    heads = [
        i["text"].split(" voxels")[0] for i in tree.all("h4") if within(i, "section")["attributes"]["id"] == "cases"
    ]
    assert heads == ["worst case_b", "median case_c", "best case_a"] * 2


def test_the_chosen_method_alone_is_visible(tree):
    of_methods = [i for i in tree.items if "data-method" in i["attributes"]]
    assert len(of_methods) > 100
    for item in of_methods:
        assert ("hidden" in item["attributes"]) == (item["attributes"]["data-method"] != "HLFD")


def test_correction_and_environment_are_there(tree):
    sections = {item["attributes"]["id"]: item["text"] for item in tree.all("section")}
    assert "30 (3.00%)" in sections["correction"] and "0.200 (0.100 to 0.300)" in sections["correction"]
    assert "66.0" in sections["correction"] and "case_t" in sections["correction"]
    assert sections["runs"].count("environment.json") >= 9 and "width: 2" in sections["runs"]


def test_a_data_set_and_events_that_are_gone_become_sentences(made_experiment, tmp_path):
    runs = {"skin": {}}
    for row in ("Student alone", "PLC-KD"):
        folder = tmp_path / "skin" / row / "seed_0"
        shutil.copytree(made_experiment.runs["skin"][row][0], folder)
        for file in folder.glob("events*"):
            file.unlink()
        config = folder / "config.yaml"
        config.write_text(config.read_text().replace("/data/skin", "/moved/skin"))
        runs["skin"][row] = {0: folder}
    experiment = Experiment("t", runs, ["dice"], "Student alone")
    page = write_page(experiment, write_report(experiment, tmp_path), tmp_path / "report.html").read_text()
    assert (
        page.count("The pictures need the data set, which could not be read") == 2
    )  # of the worst cases, and of Grad-CAM
    assert "Without TensorBoard events: Student alone, seed 0; PLC-KD, seed 0." in page
    assert "There is no row of a teacher" in page


def test_grad_cam_of_another_input_size_is_not_put_beside(made_experiment, tmp_path):
    folder = tmp_path / "skin/other/seed_0"
    shutil.copytree(made_experiment.runs["skin"]["PLC-KD"][0], folder)
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("- 32\n", "- 64\n"))
    runs = {"skin": {"Student alone": made_experiment.runs["skin"]["Student alone"], "PLC-KD": {0: folder}}}
    experiment = Experiment("t", runs, ["dice"], "Student alone")
    page = write_page(experiment, write_report(experiment, tmp_path), tmp_path / "report.html").read_text()
    assert "PLC-KD, seed 0: no Grad-CAM: --image_size: found (64, 64), expected (32, 32) as in the other maps." in page
    assert "Grad-CAM of Student alone, first layer" in page and "Grad-CAM of PLC-KD, first layer" not in page


def test_an_experiment_that_has_not_begun_has_a_page(made_experiment, tmp_path):
    nothing = copy.copy(made_experiment)
    nothing.runs = {"skin": {row: {0: tmp_path / row} for row in ("Teacher", "Student alone", "KD")}}
    page = write_page(nothing, write_report(nothing, tmp_path), tmp_path / "report.html").read_text()
    assert page.count("left no result") == 3 and "No run ended, so there is no prediction to look at." in page
