"""`medkd demo`, whole."""

import pandas as pd
import pytest

from medkd.cli.main import main


@pytest.mark.slow
def test_demo_trains_three_networks_and_ends_with_the_page(tmp_path, capsys):
    output = tmp_path / "demo"
    assert main(["demo", "--output_dir", str(output)]) == 0
    table = pd.read_csv(output / "table.csv")
    dice = table[(table["metric"] == "dice") & (table["class"] == "kidney")].set_index("row")["mean"]
    assert list(dice.index) == ["teacher", "student", "student + recommended"]
    # what the text says beforehand; other processors may round otherwise, so the student is not held to its figure
    assert dice["teacher"] > 75 and dice["student + recommended"] > 70, dice
    assert dice["student"] < dice["student + recommended"], dice
    assert len(list((output / "overlays").glob("*.png"))) == 3
    text = capsys.readouterr().out
    assert "medkd prepare kits19 --source" in text and "table.md" in text
    assert text.splitlines()[-1] == f"Open in a browser: {output / 'report.html'}"
    assert "student + recommended" in (output / "report.html").read_text()
    assert (output / "data/report.png").stat().st_size > 10_000


def test_demo_does_not_overwrite(tmp_path, capsys):
    assert main(["demo", "--output_dir", str(tmp_path)]) in (1, 2)
    assert "exists already: remove it or choose another with --output_dir" in capsys.readouterr().err
