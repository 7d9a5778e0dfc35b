"""Reliability diagrams from what runs leave."""

import json

import pytest

from medkd.reports.page.reliability import reliability_plots
from medkd.reports.page.runs import RunFacts


def run(folder, row, seed, *bins):
    """Leave a run whose bins are (voxels, probability, frequency)."""
    folder.mkdir()
    names = ("voxels", "probability", "frequency")
    content = {"tumour": dict(zip(names, map(list, zip(*bins, strict=True)), strict=True))} if bins else {"broken": 1}
    (folder / "calibration.json").write_text(json.dumps(content))
    return RunFacts("kits19", row, seed, folder, "ended", "", "kd", "", "", "")


def test_seeds_are_pooled_by_their_voxels_and_bins_without_voxels_have_no_dot(tmp_path):
    facts = [
        run(tmp_path / "a", "KD", 0, (0, None, None), (10, 0.6, 0.5), (10, 0.9, 1.0)),
        run(tmp_path / "b", "KD", 1, (0, None, None), (30, 0.7, 0.9), (0, None, None)),
        run(tmp_path / "c", "alone", 0, (4, 0.1, 0.0), (0, None, None), (0, None, None)),
    ]
    (plot,) = reliability_plots(facts)
    assert plot.name == "tumour" and [line.row for line in plot.lines] == ["KD", "alone"]
    first, second = plot.lines[0].dots
    assert (first.x, first.y) == (pytest.approx(plot.x(0.675)), pytest.approx(plot.y(0.8)))
    assert first.text == "KD: probability 0.675, frequency 0.800, 40 voxels"
    assert (second.x, second.y) == (plot.x(0.9), plot.y(1.0)) and len(plot.lines[1].dots) == 1


def test_runs_without_calibration_are_left_out(tmp_path):
    missing = RunFacts("kits19", "T", 0, tmp_path / "no", "ended", "", "kd", "", "", "")
    assert reliability_plots([missing, run(tmp_path / "a", "KD", 0)]) == []
