"""DCD: values and gradients of the authors' code, what the bands ignore, and pairs of stages."""

import pytest
import torch

from medkd.losses import DCDLoss, DCDStagesLoss, dcd
from medkd.networks import Features
from tests.losses.reference import sample, wave


def loss_of(dims, student_channels, teacher_channels, **options):
    """A loss in float64, whose projector has the weights with which the authors' code was run."""
    loss = DCDLoss(dims, student_channels, teacher_channels, **options).double()
    for parameter, seed in zip(loss.parameters(), (2, 3), strict=False):
        parameter.data.copy_(wave(*parameter.shape, seed=seed))
    return loss


# StageWiseDCDLoss of github.com/ClinicaAlpha/DCD-3D-MedSeg at 7cf0ca6 in float64, on waves of seeds 0 and 1: value, and norm of
# the gradient of the student's map
@pytest.mark.parametrize(
    ("channels", "size", "options", "expected", "gradient"),
    [
        ((2, 2), (8, 9, 10), {}, 0.13972185273586138, 0.0069398087240551375),
        ((2, 3), (8, 9, 10), {}, 0.31031259072560935, 0.020541717977806514),
        (
            (2, 2),
            (6, 7, 8),
            {"wavelet": "haar", "levels": 2, "bands": range(8)},
            1.4058841107748026,
            0.08086601345903643,
        ),
        ((1, 1), (6, 7, 8), {"wavelet": "db2", "levels": 1, "bands": (0, 7)}, 1.0975467188734018, 0.0723440614518945),
        ((1, 1), (12, 5, 2), {"levels": 2, "bands": [4]}, 0.00024191254185713397, 0.00010117837561775852),
        (
            (2, 1),
            (5, 7, 9),
            {"wavelet": "db3", "levels": 2, "bands": [1, 6]},
            0.056395644039563285,
            0.005346010583864179,
        ),
    ],
)
def test_equals_the_authors_code(channels, size, options, expected, gradient):
    student = wave(2, channels[0], *size).requires_grad_()
    value = loss_of(3, *channels, **options)(student, wave(2, channels[1], *size, seed=1))
    value.backward()
    assert value.item() == pytest.approx(expected, rel=1e-11)
    assert student.grad.norm().item() == pytest.approx(gradient, rel=1e-11)


# the same code with its first axis taken away, full kernels by conv2d
@pytest.mark.parametrize(
    ("size", "options", "expected"),
    [
        ((9, 10), {}, 0.47738844487759674),  # bands 1 and 2
        ((9, 10), {"bands": (1, 2)}, 0.47738844487759674),
        ((7, 12), {"wavelet": "db2", "levels": 2, "bands": (0, 3)}, 0.912144478506935),
    ],
)
def test_two_axes_have_four_bands(size, options, expected):
    value = loss_of(2, 2, 2, **options)(wave(2, 2, *size), wave(2, 2, *size, seed=1))
    assert value.item() == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("size", "options"), [((16, 17), {}), ((9, 10), {"levels": 2, "bands": (0, 3)}), ((7, 8, 8), {})]
)
def test_the_form_of_small_maps_has_the_value_and_gradient_of_the_levels(monkeypatch, size, options):
    student = wave(2, 3, *size).requires_grad_()
    teacher, loss = wave(2, 3, *size, seed=1), loss_of(len(size), 3, 3, **options)
    with torch.inference_mode():
        loss(student, teacher)  # the matrix is kept, and must serve a training too
    value = loss(student, teacher)
    monkeypatch.setattr(dcd, "_SMALL", 0)
    by_levels = loss(student, teacher)
    assert value.item() == pytest.approx(by_levels.item(), rel=1e-11)
    gradients = [torch.autograd.grad(found, student)[0] for found in (value, by_levels)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-14)


def test_coarse_and_finest_structure_are_not_compared():
    # away from the borders: a constant has the lowest band alone, a checkerboard the highest alone
    rows, columns = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    window = ((rows - 48).abs().clamp(max=40) < 40) & ((columns - 48).abs() < 40)
    checkerboard = ((-1.0) ** (rows + columns) * window)[None, None].double()
    stripes = ((-1.0) ** rows * window)[None, None].double()
    loss, zero = loss_of(2, 1, 1, levels=1), torch.zeros(1, 1, 96, 96, dtype=torch.float64)
    assert loss(checkerboard, zero) < 0.1 * loss(stripes, zero)
    assert loss(window[None, None].double(), zero) < 0.1 * loss(stripes, zero)


def test_depends_on_the_difference_alone():
    student, teacher, other = (sample(1, 3, 8, 9, seed=seed) for seed in range(3))
    loss = loss_of(2, 3, 3)
    torch.testing.assert_close(loss(student + other, teacher + other), loss(student, teacher), rtol=1e-10, atol=0)


def test_stages_are_averaged_and_have_projectors_of_their_own():
    student = Features(sample(1, 2, 8, 8), (sample(1, 3, 8, 8), sample(1, 4, 4, 4)))
    teacher = Features(sample(1, 2, 8, 8), tuple(sample(1, c, e, e, seed=1) for c, e in ((2, 16), (3, 8), (5, 4))))
    loss = DCDStagesLoss(2, (3, 4), (2, 3, 5), stages=[(0, 1), (1, 2)]).double()
    assert [tuple(p.shape) for p in loss.parameters()] == [(5, 4, 1, 1), (5,)]  # the first pair has equal channels
    single = DCDLoss(2, 4, 5).double()
    single.projector = loss.projectors[1]
    expected = (
        DCDLoss(2, 3, 3).double()(student.encoder[0], teacher.encoder[1])
        + single(student.encoder[1], teacher.encoder[2])
    ) / 2
    torch.testing.assert_close(loss(student, teacher), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wavelet": "sym4"}, "DCDLoss: wavelet: found 'sym4', expected haar or db1 to db10"),
        ({"levels": 0}, "DCDLoss: levels must be positive, found 0"),
        ({"bands": (1, 4)}, r"DCDLoss: bands: found \[1, 4\], expected numbers from 0 to 3"),
        ({"bands": ()}, r"DCDLoss: bands: found \[\], expected numbers"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        DCDLoss(2, 1, 1, **options)


@pytest.mark.parametrize("stages", [[], [(0, 3)], [(-1, 0)], [0, 1], 3, [(0, 1, 2)], None])
def test_bad_stages(stages):
    with pytest.raises(ValueError, match="DCDStagesLoss: stages: found .*, expected pairs"):
        DCDStagesLoss(2, (3, 4), (3, 4, 5), stages)


def test_sizes_must_fit():
    loss = DCDLoss(2, 1, 1)
    with pytest.raises(
        ValueError, match=r"DCDLoss: student \(1, 1, 8, 8\) and teacher \(1, 1, 8, 4\) must have the same size"
    ):
        loss(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 4))
    with pytest.raises(ValueError, match=r"DCDLoss: student \(1, 1, 1, 8\) .* an axis of one position, expected two"):
        loss(torch.zeros(1, 1, 1, 8), torch.zeros(1, 1, 1, 8))
