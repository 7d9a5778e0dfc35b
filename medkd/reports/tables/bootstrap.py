"""Intervals by bootstrap over seeds and patients."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

__all__ = ["Interval", "interval", "resample", "share_interval"]

_LEVEL = 0.95
_REPLICATES = 4000
_SEED = 0  # of the resampling: the same runs give the same interval


class Interval(NamedTuple):
    """A 95 % interval; both ends are NaN where none can be given."""

    low: float
    high: float

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole interval is above zero; False for an unknown one."""
        return self.low > 0


def resample(*quantities: np.ndarray) -> np.ndarray:
    """Resample seeds and patients, and return the mean of each quantity in each replicate.

    The seeds are drawn with replacement, and independently of them the patients. All quantities are resampled together, so
    that a ratio of two has an interval too. The mean is split into the effects of seeds and of patients, whose resampled
    means are added. Each effect is expanded for its number of units, because a percentile interval of few units is too
    narrow (T. Hesterberg, What Teachers Should Know About the Bootstrap, 2015, doi 10.1080/00031305.2015.1089789, section
    4.3): five seeds get an interval of 1.6 times the width, a hundred patients one of 1.02 times.

    Args:
        quantities: (seeds, patients) each, all of one shape. NaN: this run has no value of this patient.

    Returns:
        (quantities, replicates). All NaN with fewer than two seeds or patients: one seed does not tell how seeds differ.
    """
    values = np.stack(quantities).astype(float)
    seeds, patients = values.shape[1:]
    if seeds < 2 or patients < 2:
        return np.full((len(values), _REPLICATES), np.nan)
    of_seed = np.nanmean(values, axis=2)
    mean = of_seed.mean(axis=1, keepdims=True)
    known = np.maximum((~np.isnan(values)).sum(axis=1), 1)  # a patient without any value has no effect
    of_patient = np.nansum(values - of_seed[..., None], axis=1) / known
    seed_part = _expansion(seeds) * (of_seed - mean) @ _shares(seeds, 0)
    return np.asarray(mean + seed_part + _expansion(patients) * of_patient @ _shares(patients, 1))


def interval(replicates: np.ndarray) -> Interval:
    """Return the 95 % interval of the replicates of one quantity.

    Example:
        >>> gains = np.array([[5.0, 6.0, 7.0], [5.5, 6.0, 6.5], [5.2, 6.2, 6.9]])
        >>> interval(resample(gains)[0]).is_above_zero
        True
        >>> interval(resample(gains[:1])[0])
        Interval(low=nan, high=nan)
    """
    if np.isnan(replicates).any():
        return Interval(float("nan"), float("nan"))
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(replicates, (tail, 1 - tail), method="nearest")  # a share may be infinite
    return Interval(float(low), float(high))


def share_interval(parts: np.ndarray, wholes: np.ndarray) -> Interval:
    """Return the 95 % interval of a part's share of a whole that is above its noise.

    Args:
        parts: replicates of the part.
        wholes: of the whole, resampled together with the part. Where one is not positive, the share has no limit.
    """
    unlimited = np.where(parts < 0, -np.inf, np.inf)
    return interval(np.divide(parts, wholes, out=unlimited, where=wholes > 0))


@lru_cache(maxsize=16)
def _shares(units: int, factor: int) -> np.ndarray:
    """Return the share of each unit in each replicate, (units, replicates). Factors are resampled independently."""
    generator = np.random.default_rng((_SEED, factor, units))
    return np.asarray(generator.multinomial(units, np.full(units, 1 / units), _REPLICATES).T / units)


def _expansion(units: int) -> float:
    """Return the factor that makes a percentile interval of so many units as wide as one of Student's t."""
    from scipy.special import ndtri, stdtrit

    tail = (1 + _LEVEL) / 2
    return float(stdtrit(units - 1, tail) / ndtri(tail) * np.sqrt(units / (units - 1)))
