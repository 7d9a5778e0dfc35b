"""The contract of every distillation loss: precision, gradients, extremes, 2-D and 3-D alike."""

import pytest
import torch

from medkd import losses
from medkd.losses import (
    ATLoss,
    CIRKDLoss,
    CombinedLoss,
    CWDLoss,
    DCDLoss,
    DCDStagesLoss,
    DiceKDLoss,
    DISTLoss,
    DKDLoss,
    FitNetLoss,
    HeadKDLoss,
    HIFDLoss,
    HLFDLoss,
    HolisticLoss,
    IFVDLoss,
    IMFLoss,
    KDLoss,
    PALoss,
    RADLoss,
    SPKDLoss,
)
from medkd.losses.taps import tap_pair
from medkd.networks import Features


def features(dims, seed, channels=(3, 4, 5, 6), batch=2, dtype=torch.float32, depth=None, scale=1.0):
    """Random taps at strides 1 to 8 of a non-square, odd-sized image, with two maps."""
    generator = torch.Generator().manual_seed(seed)
    size = (17, 23) if dims == 2 else (depth or 9, 17, 23)

    def sample(count, stride):
        edges = [max(1, edge // stride) for edge in size]
        return (scale * torch.randn(batch, count, *edges, generator=generator)).to(dtype)

    encoder = tuple(sample(c, 2**i) for i, c in enumerate(channels))
    return Features(sample(2, 1), encoder, maps=(sample(2, 1), sample(2, 2)))


def with_filled_queues(loss):
    """CIRKD in eval mode with filled queues: the same value at every call."""
    for queue in loss.queues.values():
        queue.push(torch.nn.functional.normalize(torch.randn(2, 9, 4), dim=2), torch.ones(2, 9, dtype=torch.bool))
    return loss.eval()


# class -> {case: (loss for a number of axes, tap)}; encoder.1 has 4 channels on both sides
CASES = {
    "KDLoss": {
        "kd": (lambda dims: KDLoss(), "logits"),
        "kd standardize": (lambda dims: KDLoss(standardize=True), "encoder.1"),  # four classes
    },
    "DKDLoss": {
        "dkd": (lambda dims: DKDLoss(), "logits"),
        "dkd standardize": (lambda dims: DKDLoss(standardize=True), "encoder.1"),
    },
    "DiceKDLoss": {"dice_kd": (lambda dims: DiceKDLoss(), "logits")},
    "DISTLoss": {
        "dist": (lambda dims: DISTLoss(4), "encoder.1"),
        "dist of two classes": (lambda dims: DISTLoss(2, beta=0), "logits"),
    },
    "DCDLoss": {"dcd": (lambda dims: DCDLoss(dims, 4, 4), "encoder.1")},
    "DCDStagesLoss": {
        "dcd stages": (lambda dims: DCDStagesLoss(dims, (3, 4, 5), (3, 4, 5), [(i, i) for i in range(3)]), "features")
    },
    "CWDLoss": {"cwd": (lambda dims: CWDLoss(), "logits")},
    "ATLoss": {"at": (lambda dims: ATLoss(), "encoder.1"), "imd": (lambda dims: ATLoss(p=4), "encoder.1")},
    "FitNetLoss": {"fitnet": (lambda dims: FitNetLoss(dims, 4, 4), "encoder.1")},
    "HeadKDLoss": {"head_kd": (lambda dims: HeadKDLoss(dims, 4, 2), "encoder.1 -> logits")},
    "RADLoss": {"rad": (lambda dims: RADLoss(), "encoder.1")},
    "SPKDLoss": {
        "spkd": (lambda dims: SPKDLoss(), "encoder.1"),
        "spkd grid": (lambda dims: SPKDLoss(grid=2), "encoder.1"),
    },
    "PALoss": {
        "pa": (lambda dims: PALoss(), "encoder.1"),
        "pa detached": (lambda dims: PALoss(detach_norm=True), "encoder.1"),
    },
    "IFVDLoss": {"ifvd": (lambda dims: IFVDLoss(), "encoder.1")},
    "CIRKDLoss": {
        "cirkd batch": (
            lambda dims: CIRKDLoss(dims, 4, 4, 2, pixel_weight=0, region_weight=0, max_nodes=30),
            "encoder.1",
        ),
        "cirkd": (lambda dims: with_filled_queues(CIRKDLoss(dims, 4, 4, 2, anchors=10_000)), "encoder.1"),
    },
    "HIFDLoss": {
        "hifd": (lambda dims: HIFDLoss(dims, (3, 4, 5, 6), (3, 4, 5, 6), 2), "features"),
        "hifd uniform": (lambda dims: HIFDLoss(dims, (3, 4, 5, 6), 6, 2, weighting="uniform"), "features"),
    },
    "IMFLoss": {"imf": (lambda dims: IMFLoss(dims, (3, 4, 5, 6), 6, 2), "features")},
    "HLFDLoss": {
        "hlfd": (lambda dims: HLFDLoss(dims, (3, 4, 5, 6), 2), "features"),
        "hlfd final": (lambda dims: HLFDLoss(dims, (3, 4, 5, 6), 2, late="final"), "features"),
    },
}
# Names of medkd.losses that this contract does not cover, and why.
OTHERS = {
    "CombinedLoss": "sums other losses",
    "DeepSupervisionLoss": "trains a teacher",
    "FocalDiceLoss": "is a task loss",
    "HolisticLoss": "has an optimizer of its own and needs edges of 64 pixels: test_holistic.py",
    "PseudoLabelLoss": "is a task loss on labels of the teacher: test_pseudo.py",
    "SelfOptimizing": "is an interface",
}
LOSSES = {case: entry for cases in CASES.values() for case, entry in cases.items()}
NAMES = tuple(LOSSES)
# compare with a learnable map of the student: a student equal to its teacher does not have the value 0
WITH_PROJECTION = ("fitnet", "head_kd", "hlfd", "hlfd final", "hifd", "hifd uniform", "imf", "cirkd")


def test_every_loss_has_a_case():
    missing = set(losses.__all__) - set(CASES) - set(OTHERS)
    assert not missing, f"{sorted(missing)}: add a case to CASES in {__file__}, a loss for a number of axes and its tap"


def labels(logits):
    """Integer labels of the logits' size, both classes in every image."""
    generator = torch.Generator().manual_seed(7)
    return torch.randint(0, 2, (logits.shape[0], 1, *logits.shape[2:]), generator=generator)


def build(name, dims):
    """The loss as a function of two `Features`, and the module."""
    torch.manual_seed(0)
    make, tap = LOSSES[name]
    loss = make(dims)

    def value(student, teacher, target=None):
        target = labels(student.logits) if target is None else target
        return loss(*tap_pair(student, teacher, tap), target)

    return value, loss


def mapped(f, change):
    return Features(*(tuple(change(x) for x in part) if isinstance(part, tuple) else change(part) for part in f))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", NAMES)
class TestContract:
    def test_half_precision_is_computed_in_float32(self, name, dims):
        value, _ = build(name, dims)
        for dtype in (torch.bfloat16, torch.float16):
            halves = [mapped(features(dims, seed), lambda x: x.to(dtype)) for seed in (0, 1)]  # noqa: B023
            result = value(*halves)
            assert result.dtype == torch.float32 and result.shape == ()
            # all that half precision may cost is the rounding of the inputs
            torch.testing.assert_close(result, value(*(mapped(f, lambda x: x.float()) for f in halves)), rtol=0, atol=0)

    def test_autocast_changes_nothing(self, name, dims):
        value, _ = build(name, dims)
        student, teacher = features(dims, 0), features(dims, 1)
        full = value(student, teacher)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.testing.assert_close(value(student, teacher), full, rtol=0, atol=0)

    def test_only_the_student_gets_gradients(self, name, dims):
        value, loss = build(name, dims)
        student, teacher = (mapped(features(dims, seed), lambda x: x.requires_grad_()) for seed in (0, 1))
        value(student, teacher).backward()
        tap = LOSSES[name][1]
        used = student.encoder if tap == "features" else tap_pair(student, teacher, tap)[:1]
        if name in ("hlfd", "hlfd final", "hifd", "hifd uniform", "dcd stages"):
            used = used[:-1]  # the bottleneck is not taught
        assert all(x.grad is not None and x.grad.abs().sum() > 0 for x in used)
        assert all(x.grad is None for x in (teacher.logits, *teacher.encoder, *teacher.maps))
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in loss.parameters())

    def test_extreme_values_stay_finite(self, name, dims):
        value, _ = build(name, dims)
        for scale in (0.0, 1e-6, 1e4):
            student, teacher = features(dims, 0, scale=scale), features(dims, 1, scale=scale)
            student = mapped(student, lambda x: x.requires_grad_())
            result = value(student, teacher)
            assert torch.isfinite(result)
            result.backward()
            grads = [x.grad for x in (student.logits, *student.encoder) if x.grad is not None]
            assert grads and all(torch.isfinite(g).all() for g in grads)

    def test_repeating_the_batch_keeps_the_mean(self, name, dims):
        value, _ = build(name, dims)
        student, teacher = features(dims, 0), features(dims, 1)
        target = labels(student.logits)
        pair = (mapped(f, lambda x: torch.cat([x, x])) for f in (student, teacher))
        twice = value(*pair, torch.cat([target, target]))
        # the similarity of samples has rows whose norm grows with the batch: stated in its docstring
        once = value(student, teacher, target) / (2 if name.startswith("spkd") else 1)
        torch.testing.assert_close(twice, once, rtol=1e-5, atol=1e-6)

    def test_a_student_equal_to_its_teacher_costs_nothing(self, name, dims):
        if name in WITH_PROJECTION:
            pytest.skip("compares with a learnable map of the student")
        value, _ = build(name, dims)
        student = mapped(features(dims, 0), lambda x: x.requires_grad_())
        result = value(student, features(dims, 0))
        assert result.item() == pytest.approx(0, abs=1e-6)

    def test_a_batch_of_another_size_is_refused_with_both_shapes(self, name, dims):
        value, loss = build(name, dims)
        student, teacher = features(dims, 0), features(dims, 1, batch=3)
        with pytest.raises(ValueError, match=rf"{type(loss).__name__}: student \(2, .* and teacher \(3, "):
            value(student, teacher)

    def test_arguments_are_not_changed(self, name, dims):
        value, _ = build(name, dims)
        student, teacher = features(dims, 0), features(dims, 1)
        value(student, teacher)
        for before, after in ((features(dims, 0), student), (features(dims, 1), teacher)):
            for x, y in zip((before.logits, *before.encoder), (after.logits, *after.encoder), strict=True):
                assert torch.equal(x, y)


def test_other_axes_and_single_classes_are_refused_with_shapes():
    flat, deep = torch.zeros(1, 2, 64, 64), torch.zeros(1, 2, 64, 64, 64)
    for dims, maps in ((3, flat), (2, deep)):
        for loss in (FitNetLoss(dims, 2, 2), HeadKDLoss(dims, 2, 2), HolisticLoss(dims, 2), CIRKDLoss(dims, 2, 2, 2)):
            shape = r"\(" + ", ".join(map(str, maps.shape)) + r"\)"
            message = f"{type(loss).__name__}: student {shape} and teacher {shape} must have {dims} spatial axes"
            with pytest.raises(ValueError, match=message):
                loss(maps, maps, maps[:, :1])
    for build in (lambda: HeadKDLoss(2, 3, 1), lambda: IMFLoss(2, (3, 4), 4, 1), lambda: HIFDLoss(2, (3, 4), 4, 1)):
        with pytest.raises(ValueError, match="num_classes 1 found, expected 2 or more"):
            build()
    with pytest.raises(ValueError, match="CIRKDLoss: pixel_queue must be positive, found 0"):
        CIRKDLoss(2, 3, 4, 2, pixel_queue=0)


# a grid of cells has cells along the depth too, be it 1; nodes are so many an axis; a 3-convolution is another one in 3-D; a
# wavelet needs two positions
OF_3D = ("spkd grid", "cirkd batch", "cirkd", "imf", "dcd", "dcd stages")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OF_3D])
def test_depth_one_in_3d_equals_2d(name):
    flat, flat_loss = build(name, 2)
    deep, deep_loss = build(name, 3)
    for a, b in zip(flat_loss.parameters(), deep_loss.parameters(), strict=True):
        b.data.copy_(a.data.reshape(b.shape))
    student, teacher = features(2, 0), features(2, 1)
    torch.testing.assert_close(
        deep(*(mapped(f, lambda x: x[:, :, None]) for f in (student, teacher))),
        flat(student, teacher),
        rtol=1e-5,
        atol=1e-6,
    )


# MONAI's DiceCELoss, the supervised part of IMF, breaks the graph itself
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != "imf"])
def test_compiles_without_graph_break(name):
    value, loss = build(name, 2)
    student, teacher = features(2, 0), features(2, 1)
    arguments = (*tap_pair(student, teacher, LOSSES[name][1]), labels(student.logits))
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*arguments), value(student, teacher))


# neither the gradient of PA with detached norms nor that of HIFD with adaptive weights is the derivative, by intention
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("pa detached", "hifd")])
def test_gradient_is_the_derivative(name):
    value, loss = build(name, 2)
    loss.double()
    if name == "imf":
        loss.eval()  # the statistics of batch norm stay as they are
    student, teacher = (
        mapped(features(2, seed, dtype=torch.float64), lambda x: x[..., :3, :4].contiguous()) for seed in (0, 1)
    )
    target = labels(student.logits)
    used = (0,) if LOSSES[name][1] == "logits" else (2,) if "encoder.1" in LOSSES[name][1] else range(1, 5)
    maps = [student.logits, *student.encoder]

    def of_student_maps(*leaves):
        logits, *encoder = [dict(zip(used, leaves, strict=True)).get(i, map_) for i, map_ in enumerate(maps)]
        return value(Features(logits, tuple(encoder)), teacher, target)

    assert torch.autograd.gradcheck(of_student_maps, [maps[i].requires_grad_() for i in used])


@pytest.mark.slow
def test_combined_compiles_to_the_same_value():
    terms = {"kd": {"loss": KDLoss(), "weight": 1.0, "tap": "logits"}}
    loss = torch.compile(CombinedLoss(lambda z, y: z.mean(), terms), backend="eager", fullgraph=True)
    student, teacher = features(2, 0), features(2, 1)
    expected = student.logits.mean() + KDLoss()(student.logits, teacher.logits)
    torch.testing.assert_close(loss(student, teacher, torch.zeros(2, 1, 17, 23)), expected)


@pytest.mark.slow
def test_combined_compiles_with_unlabelled_images():
    terms = {"dkd": {"loss": DKDLoss(), "weight": 1.0, "tap": "logits"}}
    loss = CombinedLoss(lambda z, y: (z[:, :1] * y).mean(), terms)
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    student, teacher = features(2, 0), features(2, 1)
    target = torch.zeros(len(student.logits), 1, *student.logits.shape[2:])
    for indices in (torch.tensor([1]), torch.tensor([], dtype=torch.long)):
        torch.testing.assert_close(compiled(student, teacher, target, indices), loss(student, teacher, target, indices))
