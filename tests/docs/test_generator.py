"""The generated pages: one for each method, whose drawing shows maps that its preset names."""

import sys

import pytest
import yaml

from medkd.methods.presets import names

from .pages import ROOT


@pytest.fixture(scope="module")
def generator():
    sys.path.insert(0, str(ROOT / "docs"))
    from generator import method_pages, taps

    yield method_pages, taps
    sys.path.remove(str(ROOT / "docs"))


@pytest.fixture(scope="module")
def written():
    return yaml.safe_load((ROOT / "docs/generator/methods.yaml").read_text())


def test_each_method_is_described(written):
    assert written.keys() == set(names())
    assert all({"title", "idea", "formula"} <= text.keys() for text in written.values())


@pytest.mark.parametrize("name", names())
def test_page_of_a_method(name, generator, written):
    method_pages, _ = generator
    page = method_pages._page(name, written[name], method_pages.loss_docstrings())
    assert page.count("## Arguments") == 1
    # the lines of pairs of maps; those of the legend have a width of 3
    assert (page.count('stroke-width="2"') > 0) == (name != "none")


def test_a_page_has_the_results_of_its_method(generator, written):
    method_pages, _ = generator
    page = method_pages._page("kd", written["kd"], {"KDLoss": ""})
    results = page.partition("## Our results")[2]
    assert "results.md#" in results and "\n| KD | +" in results and "\n| Student alone: its Dice, % | " in results
    assert "| AT |" not in results


def test_drawing_shows_pairs(generator):
    _, taps = generator
    drawing = taps.draw_taps({"a": ["encoder/4", "encoder.0 -> logits"], "b": ["equal"]})
    assert drawing.count('stroke-width="2"') == 2 + 5
    with pytest.raises(ValueError, match="tap: found 'encoder.9'"):
        taps.draw_taps({"a": ["encoder.9"]})
