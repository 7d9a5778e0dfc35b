"""The built site: strict, and nothing in it is loaded from the network."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from medkd.methods.presets import names

from .pages import ROOT

pytest.importorskip("sphinx", reason='needs pip install -e ".[docs]"')
pytestmark = pytest.mark.slow
LOADED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*?\b(?:src|data|srcset)=[\"'](?:https?:)?//[^\"']*",
    re.I,
)
LINKED = re.compile(r"<link\b[^>]*>", re.I)
IN_STYLES = re.compile(r"@import\s|url\([\"']?(?:https?:)?//", re.I)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Build the site, or take the one that MEDKD_SITE names."""
    built = os.environ.get("MEDKD_SITE")
    if built:
        return Path(built)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", ".", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_nothing_is_loaded_from_the_network(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 60
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not LOADED.findall(text), page
        loads = [
            tag
            for tag in LINKED.findall(text)
            if re.search(r"rel=[\"']?(?:stylesheet|preload|preconnect|icon|manifest)", tag)
        ]
        assert not [tag for tag in loads if re.search(r"href=[\"']?(?:https?:)?//", tag)], page
    for style in site.rglob("*.css"):
        assert not IN_STYLES.search(style.read_text(encoding="utf-8")), style


def test_links_and_anchors_lead_somewhere(site):
    """Of the built pages: what Sphinx does not check are raw links to files and anchors."""
    anchors = {}
    for page in site.rglob("*.html"):
        anchors[page.resolve()] = set(re.findall(r"\bid=\"([^\"]+)\"", page.read_text(encoding="utf-8")))
    broken = []
    for page in anchors:
        for link in re.findall(r"<a\b[^>]*?\bhref=\"([^\"]+)\"", page.read_text(encoding="utf-8")):
            path, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or anchor and target.suffix == ".html" and anchor not in anchors.get(target, ()):
                broken.append((page.relative_to(site.resolve()), link))
    assert not broken, broken[:20]


def test_each_method_has_a_page_with_its_formula_and_taps(site):
    for name in names():
        text = (site / f"docs/generated/methods/{name}.html").read_text(encoding="utf-8")
        assert "<math" in text and "Arguments" in text
        assert ('<svg class="taps"' in text) == (name != "none"), name
