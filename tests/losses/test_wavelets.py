"""Daubechies filters: published values, and the identities that define them."""

import pytest
import torch

from medkd.losses._wavelets import analyse, daubechies, synthesise


def test_filters_are_those_of_pywavelets():
    # pywt.Wavelet("db4").dec_lo and .dec_hi of PyWavelets 1.9.0
    low = [-0.010597401785069032, 0.0328830116668852, 0.030841381835560764, -0.18703481171909309]
    low += [-0.027983769416859854, 0.6308807679298589, 0.7148465705529157, 0.2303778133088965]
    high = [value * sign for value, sign in zip(reversed(low), [-1, 1] * 4, strict=True)]
    found_low, found_high = daubechies("db4")
    assert found_low == pytest.approx(low, abs=1e-14) and found_high == pytest.approx(high, abs=1e-14)
    assert daubechies("haar") == daubechies("db1")
    assert daubechies("haar")[1] == pytest.approx([-(0.5**0.5), 0.5**0.5])


@pytest.mark.parametrize("order", range(1, 11))
def test_filters_are_orthonormal_and_their_moments_vanish(order):
    low, high = (torch.tensor(values, dtype=torch.float64) for values in daubechies(f"db{order}"))
    for shift in range(order):
        overlap = (low[2 * shift :] * low[: 2 * (order - shift)]).sum().item()
        assert overlap == pytest.approx(float(shift == 0), abs=1e-12)
    positions = torch.linspace(-1, 1, 2 * order, dtype=torch.float64)
    for moment in range(order):
        assert (high * positions**moment).sum().item() == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("name", ["db0", "db11", "sym4", "DB4", ""])
def test_unknown_wavelets_are_refused(name):
    with pytest.raises(ValueError, match=f"wavelet: found '{name}', expected haar or db1 to db10"):
        daubechies(name)


@pytest.mark.parametrize("size", [(6, 8), (4, 6, 8)])
@pytest.mark.parametrize("name", ["haar", "db4"])
def test_synthesis_with_the_filters_of_the_analysis_gives_the_map_back(size, name):
    # (DCD's synthesis takes them reversed, as its authors do, and gives another map)
    filters = torch.tensor(daubechies(name), dtype=torch.float64)
    maps = torch.randn(3, 1, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    bands = analyse(maps, filters)
    assert bands.shape == (3, 2 ** len(size), *(edge // 2 + filters.shape[1] // 2 for edge in size))
    torch.testing.assert_close(synthesise(bands, filters), maps, rtol=0, atol=1e-12)


def test_the_number_of_a_band_says_low_or_high_along_each_axis():
    filters = torch.tensor(daubechies("haar"), dtype=torch.float64)
    rows = torch.arange(8.0, dtype=torch.float64)[:, None].expand(8, 8)[None, None]
    inner = analyse(rows, filters)[0, :, 1:-1, 1:-1].abs().amax(dim=(1, 2))
    assert [value > 1e-12 for value in inner.tolist()] == [True, False, True, False]  # low low, high low
