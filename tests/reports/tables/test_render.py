"""Names from data in the written tables: Markdown, LaTeX and CSV show them, and take nothing for markup or a formula."""

import pandas as pd

from medkd.reports.tables.render import write_tables

ROW, CLASS = "=1+1|<script>alert(1)</script>", "[a](http://x)\nb"


def test_names_are_shown_and_not_taken(tmp_path):
    shown = {f"kits19, {CLASS}": pd.DataFrame({"Dice, %": ["85.00", "+1.5"]}, index=[ROW, "[kd]*"])}
    long = pd.DataFrame({"row": [ROW, "kd"], "class": [CLASS, CLASS], "difference": [-0.5, 1.5]})
    text = write_tables(
        tmp_path, "<b>title</b>", shown, long, {"": ["p < 0.05"], f"kits19, {CLASS}": [f"{ROW} ended."]}
    )
    assert text == (tmp_path / "table.md").read_text()
    assert "<script" not in text and "<b>" not in text and "p < 0.05" in text
    assert [line for line in text.splitlines() if line.startswith("##")] == ["## kits19, [a&#93;(http://x) b"]
    assert [line.count("|") - line.count("\\|") for line in text.splitlines() if line.startswith("|")] == [3] * 4
    latex = (tmp_path / "table.tex").read_text()
    assert r"=1+1$|$\textless{}script" in latex and "{[}kd]{*}" in latex
    assert (tmp_path / "table.csv").read_text().splitlines()[1].startswith("'=1+1|<script>")
    assert pd.read_csv(tmp_path / "table.csv")["difference"].tolist() == [-0.5, 1.5]
