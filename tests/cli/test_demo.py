"""`medkd demo`, whole."""

import pandas as pd
import pytest

from medkd.cli.main import main


@pytest.mark.slow
def test_demo_trains_and_shows_four_networks(tmp_path, capsys):
    output = tmp_path / "demo"
    assert main(["demo", "--output_dir", str(output)]) == 0
    table = pd.read_csv(output / "table.csv")
    dice = table[(table["metric"] == "dice") & (table["class"] == "kidney")].set_index("row")["mean"]
    assert list(dice.index) == ["teacher", "student", "student + KD", "student + HLFD"]
    # all of them learnt to find kidneys; which is best is not for a demo to say
    assert (dice > 50).all(), dice
    assert len(list((output / "overlays").glob("*.png"))) == 3
    text = capsys.readouterr().out
    assert "medkd prepare kits19 --source" in text and "table.md" in text


def test_demo_does_not_overwrite(tmp_path, capsys):
    assert main(["demo", "--output_dir", str(tmp_path)]) in (1, 2)
    assert "exists already: remove it or choose another with --output_dir" in capsys.readouterr().err
