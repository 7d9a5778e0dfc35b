"""Daubechies filters: published values, and the identities that define them."""

import pytest
import torch
from torch.nn import functional as F

from medkd.losses._wavelets import WaveletLevel, axis_operators, daubechies, multiply_axis


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


@pytest.mark.parametrize("edge", [2, 7, 12, 31, 96])
@pytest.mark.parametrize("name", ["haar", "db2", "db4", "db10"])
def test_operators_are_the_convolutions_of_the_authors(name, edge):
    low_high = torch.tensor(daubechies(name), dtype=torch.float64).unsqueeze(1)
    options = {"stride": 2, "padding": low_high.shape[2] - 1}
    analysis, first, last, _ = axis_operators(daubechies(name), edge, torch.float64, torch.device("cpu"))
    line = torch.linspace(-1, 2, edge, dtype=torch.float64).exp()
    bands = F.conv1d(line[None, None], low_high, **options)
    torch.testing.assert_close((analysis @ line).view(-1, 2).T, bands[0], rtol=0, atol=1e-11)
    # products of synthesised maps of any coefficients
    for columns in torch.randn(5, 2, len(analysis), dtype=torch.float64):
        maps = [F.conv_transpose1d(c.view(1, -1, 2).mT, low_high.flip(2), **options).flatten() for c in columns]
        one, weighted = columns[0], columns[1].clone()
        weighted[: len(first)] = first @ columns[1, : len(first)]
        if len(last):
            weighted[-len(last) :] = last @ columns[1, -len(last) :]
        torch.testing.assert_close(one @ weighted, maps[0] @ maps[1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("edge", [40, 65, 96, 200])
@pytest.mark.parametrize("name", ["haar", "db4", "db10"])
def test_blocks_hold_all_of_a_band_matrix(name, edge):
    matrix, _, _, reach = axis_operators(daubechies(name), edge, torch.float64, torch.device("cpu"))
    maps, columns = (torch.randn(2, rows, 3, dtype=torch.float64) for rows in reversed(matrix.shape))
    torch.testing.assert_close(multiply_axis(matrix, maps, 1, reach[0]), matrix @ maps, rtol=0, atol=1e-11)
    torch.testing.assert_close(multiply_axis(matrix.T, columns, 1, reach[1]), matrix.T @ columns, rtol=0, atol=1e-11)


def test_a_matrix_is_applied_along_one_axis():
    maps, matrix = torch.randn(2, 3, 4, 5), torch.randn(6, 4)
    torch.testing.assert_close(multiply_axis(matrix, maps, 2), torch.einsum("mn,abnd->abmd", matrix, maps))
    torch.testing.assert_close(multiply_axis(matrix, maps.mT, 3), torch.einsum("mn,abnd->abdm", matrix, maps))


@pytest.mark.parametrize("bands", [{1, 2}, {0}, {3}, {0, 1, 2, 3}])
@pytest.mark.parametrize("size", [(4, 5), (3, 30)])
def test_the_gradient_of_a_level_is_that_of_finite_differences(size, bands):
    maps = torch.randn(1, 2, *size, dtype=torch.float64, requires_grad=True)
    operators = [axis_operators(daubechies("db3"), edge, maps.dtype, maps.device) for edge in size]
    assert torch.autograd.gradcheck(lambda maps: WaveletLevel.apply(maps, operators, frozenset(bands)), maps)


def test_a_level_whose_lowest_band_is_not_used_has_a_gradient():
    maps = torch.randn(1, 1, 8, 8, requires_grad=True)
    operators = [axis_operators(daubechies("haar"), 8, maps.dtype, maps.device)] * 2
    norm, lowest = WaveletLevel.apply(maps, operators, frozenset({1, 2}))
    alone, both = (torch.autograd.grad(value, maps, retain_graph=True)[0] for value in (norm, norm + 0 * lowest.sum()))
    torch.testing.assert_close(alone, both)
    assert alone.abs().sum() > 0
