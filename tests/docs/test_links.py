"""The links of the pages: files and headings that exist."""

import importlib
import re

import pytest

from .pages import PAGES, ROOT, page_name

CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(page):
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", CODE_BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def relative_links(page):
    targets = re.findall(r"\]\(([^)\s]+)\)", CODE_BLOCK.sub("", page.read_text()))
    return [target for target in targets if not re.match(r"\w+:", target)]


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_relative_links_lead_to_files_and_headings(page):
    for target in relative_links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if "generated" in file.parts:  # written by the build, whose links tests/docs/test_site.py follows
            assert not anchor and "/docs/generated/" in str(file), target
            continue
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_pages_of_bundles_link_to_the_results():
    for page in PAGES:
        if page.parent.name == "docs" and page.name == "README.md":
            pages = {target.partition("#")[0].rpartition("/")[2] for target in relative_links(page)}
            assert pages & {"results.md", "every_method.md", "earlier_checks.md", "hlfd.md"}, page


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_dotted_names_exist(page):
    """Each dotted name of medkd on a page can be imported."""
    for name in set(re.findall(r"\bmedkd(?:\.\w+)+", page.read_text())):
        module, attributes = name, []
        while module:
            try:
                value = importlib.import_module(module)
                break
            except ModuleNotFoundError:
                module, _, attribute = module.rpartition(".")
                attributes.insert(0, attribute)
        for attribute in attributes:
            value = getattr(value, attribute)
