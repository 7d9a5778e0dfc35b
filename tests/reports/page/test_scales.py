"""Axes: all values lie on them, and the text of a tick is its value."""

import pytest

from medkd.reports.page.scales import scale


def test_axes_hold_all_values_and_label_ticks_exactly():
    axis = scale([0.31, 1.02], 0, 100)
    assert axis(axis.low) == 0 and axis(axis.high) == 100 and axis.low <= 0.31 and axis.high >= 1.02
    for pixel, text in axis.ticks:
        assert axis(float(text)) == pytest.approx(pixel, abs=1e-6)
    assert scale([2.0], 0, 10)(2.0) == pytest.approx(5, abs=1)


def test_limits_are_not_exceeded():
    axis = scale([-3.0, 104.0], 0, 100, within=(0, 100))
    assert axis.low == 0 and axis.high == 100
