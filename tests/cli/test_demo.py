"""`medkd demo`, whole."""

import pandas as pd
import pytest

from medkd.cli.main import main


@pytest.mark.slow
def test_demo_trains_and_shows_four_networks(tmp_path, capsys):
    output = tmp_path / "demo"
    assert main(["demo", "--output_dir", str(output)]) == 0
    table = pd.read_csv(output / "table.csv", index_col=0)
    assert list(table.columns) == ["teacher", "student", "student + KD", "student + HLFD"]
    dice = {title: float(cell.split()[0]) for title, cell in table.loc["kidney dice"].items()}
    # all of them learnt to find kidneys; which is best is not for a demo to say
    assert all(value > 0.5 for value in dice.values()), dice
    assert len(list((output / "overlays").glob("*.png"))) == 3
    text = capsys.readouterr().out
    assert "medkd prepare kits19 --source" in text and "table.md" in text


def test_demo_does_not_overwrite(tmp_path, capsys):
    assert main(["demo", "--output_dir", str(tmp_path)]) == 1
    assert "exists already: remove it or choose another with --output_dir" in capsys.readouterr().err
