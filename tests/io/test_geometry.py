"""Sizes of volumes at another spacing."""

import pytest

from medkd.io import size_at_spacing


@pytest.mark.parametrize(
    ("shape", "spacing", "target_spacing", "size"),
    [
        ((40, 512, 512), (5.0, 0.75, 0.75), (2.5, 1.5, 1.5), (80, 256, 256)),
        ((40, 512, 512), (5.0, 0.75, 0.75), None, (40, 512, 512)),
        ((3, 8, 8), (1.0, 1.0, 1.0), (10.0, 3.0, 3.0), (1, 3, 3)),  # never less than one voxel
        ((30, 60), (0.7, 0.7), (1.0, 1.0), (21, 42)),
    ],
)
def test_size_covers_the_same_length(shape, spacing, target_spacing, size):
    assert size_at_spacing(shape, spacing, target_spacing) == size


def test_a_missing_axis_is_refused():
    with pytest.raises(ValueError):
        size_at_spacing((30, 60), (0.7, 0.7), (1.0,))
