"""Scatter plots: one dot per case and per run."""

import numpy as np
import pandas as pd

from medkd.reports.page.scatter import _case_plot


def test_plots_of_many_cases_keep_the_extremes_and_state_the_number_of_dots():
    names = [f"c{i}" for i in range(1000)]
    pairs = pd.DataFrame({"method": np.linspace(10, 90, 1000), "baseline": 50.0}, index=names)
    plot = _case_plot("alone", "KD", pairs)
    texts = [dot.text for dot in plot.dots]
    assert len(texts) == 300 and texts[0].startswith("c0:") and texts[-1].startswith("c999:")
    assert "500 of 1000 cases better, 500 worse. Largest gain: c999 (+40.0). Largest loss: c0 (-40.0)." in plot.caption
    assert "300 dots are drawn" in plot.caption
    assert "Largest loss" not in _case_plot("alone", "KD", pairs[-3:]).caption
