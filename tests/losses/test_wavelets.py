"""Daubechies filters: published values, and the identities that define them."""

import pytest
import torch
from torch.nn import functional as F

from medkd.losses._wavelets import axis_operators, daubechies, transform_axis


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


@pytest.mark.parametrize("name", ["haar", "db2", "db4", "db10"])
def test_operators_are_the_convolutions_of_the_authors(name):
    low_high = torch.tensor(daubechies(name), dtype=torch.float64).unsqueeze(1)
    padding = low_high.shape[2] - 1
    for edge in (2, 7, 12, 31, 96):
        analysis, details, shared, _ = axis_operators(daubechies(name), edge, torch.float64, torch.device("cpu"))
        line = torch.linspace(-1, 2, edge, dtype=torch.float64).exp()
        bands = F.conv1d(line[None, None], low_high, stride=2, padding=padding)
        torch.testing.assert_close(analysis @ line, bands[0], rtol=0, atol=1e-11)
        # the details have the norms and the product of the synthesised bands
        low, high = (
            F.conv_transpose1d(bands[:, [b]], low_high[[b]].flip(2), stride=2, padding=padding) for b in (0, 1)
        )
        found_low, found_high = details @ line
        torch.testing.assert_close(found_low.norm(), low.norm(), rtol=0, atol=1e-10)
        torch.testing.assert_close(found_high.norm(), high.norm(), rtol=0, atol=1e-10)
        common = (found_low * found_high)[:shared].sum() + (found_low * found_high)[-shared:].sum()
        torch.testing.assert_close(common, (low * high).sum(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("edge", [40, 65, 96, 200])
@pytest.mark.parametrize("name", ["haar", "db4", "db10"])
def test_blocks_hold_all_of_a_band_matrix(name, edge):
    operators = axis_operators(daubechies(name), edge, torch.float64, torch.device("cpu"))
    maps = torch.randn(2, edge, 3, dtype=torch.float64, requires_grad=True)
    for matrix in (*operators.analysis, *operators.details):
        banded, full = transform_axis(matrix, maps, 1, operators.reach), matrix @ maps
        torch.testing.assert_close(banded, full, rtol=0, atol=1e-11)
        gradient = torch.randn_like(full)
        first, second = (torch.autograd.grad(value, maps, gradient)[0] for value in (banded, full))
        torch.testing.assert_close(first, second, rtol=0, atol=1e-11)


def test_a_matrix_is_applied_along_one_axis():
    maps, matrix = torch.randn(2, 3, 4, 5), torch.randn(6, 4)
    torch.testing.assert_close(transform_axis(matrix, maps, 2), torch.einsum("mn,abnd->abmd", matrix, maps))
    torch.testing.assert_close(transform_axis(matrix, maps.mT, 3), torch.einsum("mn,abnd->abdm", matrix, maps))
