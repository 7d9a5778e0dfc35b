"""HLFD: each of its four terms against a loop of the formula, both presets, and its limits."""

import pytest
import torch

from medkd.losses import HLFDLoss
from medkd.networks import Features
from tests.losses.reference import importance_distance, resized, sample

CHANNELS = (3, 4, 5, 6, 7)
TEACHER = (2, 3, 5, 4, 6)


def pair(dims=2, batch=2, seed=0, classes=2, dtype=torch.float64):
    """A student at strides 2..32 and a teacher at strides 1..16 with three maps, as ResNetFCN and UNet++ have them."""
    generator = torch.Generator().manual_seed(seed)

    def sample(channels, edge):
        return torch.randn(batch, channels, *[edge] * dims, generator=generator, dtype=dtype)

    student = Features(
        sample(classes, 32), tuple(sample(c, e) for c, e in zip(CHANNELS, (16, 8, 4, 2, 1), strict=True))
    )
    teacher = Features(
        sample(classes, 32),
        tuple(sample(c, e) for c, e in zip(TEACHER, (32, 16, 8, 4, 2), strict=True)),
        maps=tuple(sample(classes, e) for e in (32, 32, 16)),
    )
    return student, teacher


def loss_of(dims=2, **options):
    torch.manual_seed(0)
    return HLFDLoss(dims, CHANNELS, 2, **options).double()


def divergence(probabilities, logits, t):
    q = torch.softmax(logits / t, 1)
    return t * t * (probabilities * (probabilities / q).log()).sum(1).mean().item()


def paper_terms(loss, s, t, p=4, temp=4.0):
    mids = torch.cat([resized(m, (4, 4)) for m in t.encoder[1:4]], 1)
    ufd = importance_distance(resized(s.encoder[0], (4, 4)), mids, p)
    late = t.encoder[4]
    ifd = 0.0
    for mid in s.encoder[1:4]:
        size = tuple(min(a, b) for a, b in zip(mid.shape[2:], late.shape[2:], strict=True))
        ifd += importance_distance(resized(mid, size), resized(late, size), p)
    heads = [resized(h(e), (32, 32)) for h, e in zip(loss.heads, s.encoder, strict=False)]
    unified = sum(torch.softmax(resized(m, (32, 32)) / temp, 1) for m in t.maps) / 3
    upd = divergence(unified, heads[0], temp)
    ipd = sum(divergence(torch.softmax(t.logits / temp, 1), h, temp) for h in heads[1:4]) / 3
    return ufd, ifd, upd, ipd


def test_paper_terms_equal_the_loop():
    loss = loss_of()
    student, teacher = pair()
    value = loss(student, teacher)
    ufd, ifd, upd, ipd = paper_terms(loss, student, teacher)
    assert value.item() == pytest.approx(0.9 * (ufd + ifd) + 0.1 * (upd + ipd), rel=1e-9)
    assert {k: v.item() for k, v in loss.components.items()} == pytest.approx(
        {"ufd": ufd, "ifd": ifd, "upd": upd, "ipd": ipd}, rel=1e-9
    )


def test_repo_preset_equals_the_loop():
    loss = loss_of(preset="repo")
    s, t = pair()
    # UFD: the teacher goes to the student's size; IFD: the student to the teacher's
    mids = torch.cat([resized(m, (4, 4)) for m in t.encoder[1:4]], 1)
    ufd = importance_distance(s.encoder[0], resized(mids, (16, 16)), 4)
    ifd = sum(importance_distance(resized(mid, (2, 2)), t.encoder[4], 4) for mid in s.encoder[1:4])
    heads = [resized(h(e), (32, 32)) for h, e in zip(loss.heads, s.encoder, strict=False)]
    unified = sum(torch.softmax(resized(m, (32, 32)) / 4, 1) for m in t.maps) / 3
    upd = divergence(unified, heads[3], 4.0)
    ipd = sum(divergence(torch.softmax(t.logits / 4, 1), h, 4.0) for h in heads[:3])
    assert loss(s, t).item() == pytest.approx(0.5 * (0.9 * (ufd + ifd) + 0.1 * (upd + ipd)), rel=1e-9)


@pytest.mark.parametrize("preset", ["paper", "repo"])
def test_final_teaches_the_teachers_last_map_to_the_mids_and_changes_no_other_term(preset):
    student, teacher = pair()
    final = sample(2, 5, 32, 32, seed=9)
    teacher = teacher._replace(decoder=(sample(2, 6, 16, 16), final))
    loss, bottleneck = loss_of(preset=preset, late="final"), loss_of(preset=preset)
    loss(student, teacher)
    bottleneck(student, teacher)
    sizes = [tuple(final.shape[2:]) if preset == "repo" else tuple(mid.shape[2:]) for mid in student.encoder[1:4]]
    expected = sum(
        importance_distance(resized(mid, size), resized(final, size), 4)
        for mid, size in zip(student.encoder[1:4], sizes, strict=True)
    )
    assert loss.components["ifd"].item() == pytest.approx(expected, rel=1e-9)
    for name in ("ufd", "upd", "ipd"):
        assert loss.components[name] == bottleneck.components[name]


def test_the_last_map_of_a_teacher_without_decoder_is_its_bottleneck():
    student, teacher = pair()
    assert loss_of(late="final")(student, teacher) == loss_of()(student, teacher)


@pytest.mark.parametrize("terms", [["ufd"], ["ifd", "ipd"], ["upd"], ["ipd", "upd", "ufd"]])
@pytest.mark.parametrize("preset", ["paper", "repo"])
def test_terms_are_those_of_the_whole_loss_and_the_others_are_zero(terms, preset):
    student, teacher = pair()
    whole, some = loss_of(preset=preset), loss_of(preset=preset, terms=terms)
    whole(student, teacher)
    value = some(student, teacher)
    weights = {"ufd": 0.9, "ifd": 0.9, "upd": 0.1, "ipd": 0.1}
    half = 0.5 if preset == "repo" else 1.0
    expected = half * sum(weights[term] * whole.components[term].item() for term in terms)
    assert value.item() == pytest.approx(expected, rel=1e-9)
    for term, component in some.components.items():
        assert component == (whole.components[term] if term in terms else 0)


def test_weights_power_and_temperature_reach_the_value():
    student, teacher = pair()
    loss = loss_of(beta=1.8, lambda_=0.3, p=2, temperature=2.0)
    ufd, ifd, upd, ipd = paper_terms(loss, student, teacher, p=2, temp=2.0)
    assert loss(student, teacher).item() == pytest.approx(1.8 * (ufd + ifd) + 0.3 * (upd + ipd), rel=1e-9)


def test_same_maps_and_predictions_cost_nothing_in_the_feature_terms():
    student, teacher = pair()
    mid = teacher.encoder[4]
    same = Features(student.logits, (mid, mid, mid, mid, mid))
    as_teacher = Features(teacher.logits, (mid, mid, mid, mid, mid), maps=teacher.maps)
    loss = HLFDLoss(2, [mid.shape[1]] * 5, 2, lambda_=0).double()
    assert loss(same, as_teacher).item() == pytest.approx(0, abs=1e-12)


def test_scale_of_the_features_does_not_matter():
    student, teacher = pair()
    tiny = Features(teacher.logits, tuple(1e-4 * e for e in teacher.encoder), maps=teacher.maps)
    loss = HLFDLoss(2, CHANNELS, 2, lambda_=0)
    single = [
        Features(*(tuple(x.float() for x in part) if isinstance(part, tuple) else part.float() for part in f))
        for f in (student, teacher, tiny)
    ]
    torch.testing.assert_close(loss(single[0], single[2]), loss(single[0], single[1]), rtol=1e-4, atol=0)


def test_all_zero_maps_are_finite_and_worth_one_each():
    student, teacher = pair()
    zero = Features(student.logits, tuple(torch.zeros_like(e, requires_grad=True) for e in student.encoder))
    loss = loss_of(lambda_=0)
    value = loss(zero, teacher)
    value.backward()
    # one importance map empty, the other of norm 1: distance 1 for early and each of the three mids
    assert value.item() == pytest.approx(0.9 * 4)
    assert all(e.grad is None or torch.isfinite(e.grad).all() for e in zero.encoder)


def test_heads_are_the_same_modules_at_every_call_and_learn():
    loss = loss_of()
    before = [id(head) for head in loss.heads]
    student, teacher = pair()
    first = loss(student, teacher)
    assert first == loss(student, teacher)
    first.backward()
    assert before == [id(head) for head in loss.heads]
    for head, channels in zip(loss.heads, CHANNELS[:-1], strict=True):
        assert head.weight.shape == (2, channels, 1, 1)
        assert head.weight.grad.abs().sum() > 0 and head.bias.grad.abs().sum() > 0


def test_gradcheck():
    student, teacher = pair(batch=1)
    loss = loss_of()
    leaves = [e.clone().requires_grad_() for e in student.encoder[1:4]]

    def value(*mids):
        return loss(Features(student.logits, (student.encoder[0], *mids, student.encoder[4])), teacher)

    assert torch.autograd.gradcheck(value, leaves)


def test_empty_maps_are_refused_unless_upd_is_not_computed():
    student, teacher = pair()
    without = Features(teacher.logits, teacher.encoder)
    with pytest.raises(ValueError, match="teacher.maps is empty"):
        loss_of()(student, without)
    assert loss_of(lambda_=0)(student, without) == loss_of(lambda_=0)(student, teacher)
    with pytest.raises(ValueError, match="terms without upd"):
        loss_of(terms=["upd"])(student, without)
    terms = ["ufd", "ifd", "ipd"]  # IPD reads the teacher's logits alone
    assert loss_of(terms=terms)(student, without) == loss_of(terms=terms)(student, teacher)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: HLFDLoss(2, CHANNELS, 2, preset="code"), "preset must be 'paper' or 'repo', found 'code'"),
        (lambda: HLFDLoss(2, CHANNELS, 2, late="last"), "late must be 'bottleneck' or 'final', found 'last'"),
        (
            lambda: HLFDLoss(2, CHANNELS, 2, terms=["ufd", "fd"]),
            "terms must be a list of some of ufd, ifd, upd, ipd, found",
        ),
        (lambda: HLFDLoss(2, CHANNELS, 2, terms=[]), r"terms must be .* found \[\]"),
        (lambda: HLFDLoss(2, CHANNELS, 2, terms="ufd"), "terms must be .* found 'ufd'"),
        (lambda: HLFDLoss(2, (3, 4), 2), "at least three encoder taps .* found 2"),
        (lambda: HLFDLoss(2, CHANNELS, 2, temperature=0), "temperature must be positive"),
    ],
)
def test_bad_arguments(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_bad_shapes_name_both():
    student, teacher = pair()
    loss = loss_of()
    fewer = Features(student.logits, student.encoder[:4])
    with pytest.raises(
        ValueError, match=r"student encoder channels \(3, 4, 5, 6\) and student_channels \(3, 4, 5, 6, 7\)"
    ):
        loss(fewer, teacher)
    _, other = pair(batch=3)
    with pytest.raises(ValueError, match=r"student \(2, 3, 16, 16\) and teacher \(3, 2, 32, 32\)"):
        loss(student, other)
    _, classes = pair(classes=3)
    message = r"student \(2, 2, 32, 32\) and teacher \(2, 3, 32, 32\) logits.* 2 classes"
    with pytest.raises(ValueError, match=message):
        loss(student, classes)
    three = HLFDLoss(2, CHANNELS, 3).double()
    with pytest.raises(ValueError, match="expected one batch size and 3 classes"):
        three(student, teacher)
    torn = Features(student.logits, (student.encoder[0], student.encoder[1][:1], *student.encoder[2:]))
    with pytest.raises(
        ValueError, match=r"student \(1, 4, 8, 8\) and teacher \(2, 2, 32, 32\) must have the same batch size"
    ):
        loss(torn, teacher)
    deep, _ = pair(dims=3)
    with pytest.raises(ValueError, match="HLFDLoss: student .* and teacher .* number of axes"):
        HLFDLoss(3, CHANNELS, 2).double()(deep, teacher)
