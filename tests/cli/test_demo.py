"""`medkd demo`, whole."""

import os
from pathlib import Path

import pandas as pd
import pytest

from medkd.cli.main import main


@pytest.fixture
def demo(tmp_path, capsys):
    """Run the demo, or take the one that MEDKD_DEMO names, whose output lies in MEDKD_DEMO.txt; folder and output."""
    if made := os.environ.get("MEDKD_DEMO"):
        return Path(made), Path(f"{made}.txt").read_text()
    assert main(["demo", "--output_dir", str(tmp_path / "demo")]) == 0
    return tmp_path / "demo", capsys.readouterr().out


@pytest.mark.slow
def test_demo_trains_three_networks_and_ends_with_the_page(demo):
    output, text = demo
    table = pd.read_csv(output / "table.csv")
    dice = table[(table["metric"] == "dice") & (table["class"] == "kidney")].set_index("row")["mean"]
    assert list(dice.index) == ["teacher", "student", "student + recommended"]
    # what the text says beforehand; other processors may round otherwise, so the student is not held to its figure
    assert dice["teacher"] > 75 and dice["student + recommended"] > 70, dice
    assert dice["student"] < dice["student + recommended"], dice
    assert len(list((output / "overlays").glob("*.png"))) == 3
    assert "medkd prepare kits19 --source" in text and "table.md" in text
    assert text.splitlines()[-1] == f"Open in a browser: {output / 'report.html'}"
    assert "student + recommended" in (output / "report.html").read_text()
    assert (output / "data/report.png").stat().st_size > 10_000


def test_demo_does_not_overwrite(tmp_path, capsys):
    assert main(["demo", "--output_dir", str(tmp_path)]) in (1, 2)
    assert "exists already: remove it or choose another with --output_dir" in capsys.readouterr().err
