"""Pictures of tests that differ from case to case: equal images under two names are a finding of their own."""

import numpy as np


def numbered(picture, number):
    """Return an RGB picture whose first column shows the number, up to 4095, also after JPEG."""
    picture = np.array(picture)
    picture[:, 0] = [number % 16 * 16, number // 16 % 16 * 16, number // 256 % 16 * 16]
    return picture
