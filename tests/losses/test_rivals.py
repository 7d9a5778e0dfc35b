"""The rivals: each against a loop of its formula in float64, and values that can be worked out by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from medkd.losses import ATLoss, CWDLoss, DKDLoss, FitNetLoss, IFVDLoss, KDLoss, PALoss, RADLoss, SPKDLoss


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def labels(*shape, classes=2, seed=5):
    return torch.randint(0, classes, shape, generator=torch.Generator().manual_seed(seed))


def norm(vector):
    return math.sqrt(sum(x * x for x in vector))


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / (norm(a) * norm(b))


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def softmax(values):
    exponentials = [math.exp(v) for v in values]
    return [e / sum(exponentials) for e in exponentials]


def resized(x, size):
    mode = "bilinear" if x.ndim == 4 else "trilinear"
    return F.interpolate(x, size=size, mode=mode, align_corners=False)


class TestDKD:
    @pytest.mark.parametrize("classes", [3, 4])
    def test_loop(self, classes):
        s, t, y = draw(2, classes, 3, 4), draw(2, classes, 3, 4, seed=1), labels(2, 1, 3, 4, classes=classes)
        total, temperature = 0.0, 2.0
        for n in range(2):
            for i in range(3):
                for j in range(4):
                    p, q = (softmax((z[n, :, i, j] / temperature).tolist()) for z in (t, s))
                    k = int(y[n, 0, i, j])
                    total += 1.5 * kl([p[k], 1 - p[k]], [q[k], 1 - q[k]])
                    rest = [[v / (1 - r[k]) for c, v in enumerate(r) if c != k] for r in (p, q)]
                    total += 3.0 * kl(*rest)
        value = DKDLoss(alpha=1.5, beta=3.0, temperature=temperature)(s, t, y)
        assert value.item() == pytest.approx(temperature**2 * total / 24, rel=1e-10)

    def test_two_classes_are_alpha_times_kd_whatever_beta(self):
        s, t, y = draw(2, 2, 5, 4), draw(2, 2, 5, 4, seed=1), labels(2, 1, 5, 4)
        for beta in (0.0, 8.0):
            torch.testing.assert_close(DKDLoss(0.7, beta)(s, t, y), 0.7 * KDLoss()(s, t), rtol=1e-10, atol=0)

    def test_kd_is_the_target_term_plus_the_weighted_rest(self):
        # one pixel: KD = TCKD + (1 - p_y) NCKD, so beta = 1 - p_y of the teacher gives KD
        s, t, y = draw(1, 4, 1, 1), draw(1, 4, 1, 1, seed=1), torch.tensor([[[[2]]]])
        p_y = torch.softmax(t, 1)[0, 2].item()
        torch.testing.assert_close(DKDLoss(1.0, 1 - p_y, 1.0)(s, t, y), KDLoss(1.0)(s, t), rtol=1e-10, atol=0)


class TestCWD:
    def test_loop(self):
        s, t = draw(2, 3, 2, 3), draw(2, 3, 2, 3, seed=1)
        total = sum(
            kl(softmax((t[n, c] / 4).flatten().tolist()), softmax((s[n, c] / 4).flatten().tolist()))
            for n in range(2)
            for c in range(3)
        )
        assert CWDLoss()(s, t).item() == pytest.approx(16 * total / 6, rel=1e-10)

    def test_by_hand(self):
        # teacher (3/4, 1/4) over two positions, student even; the second channel agrees
        t = torch.tensor([[[math.log(3.0), 0.0]], [[1.0, 1.0]]]).reshape(1, 2, 1, 2)
        s = torch.zeros(1, 2, 1, 2)
        expected = (0.75 * math.log(1.5) + 0.25 * math.log(0.5)) / 2
        assert CWDLoss(1.0)(s, t).item() == pytest.approx(expected, rel=1e-6)

    def test_a_constant_added_to_a_channel_changes_nothing(self):
        s, t = draw(1, 2, 3, 3), draw(1, 2, 3, 3, seed=1)
        shifted = s + torch.tensor([5.0, -2.0]).reshape(1, 2, 1, 1)
        torch.testing.assert_close(CWDLoss()(shifted, t), CWDLoss()(s, t))


class TestAT:
    @pytest.mark.parametrize("p", [1, 2, 4])
    def test_loop(self, p):
        s, t = draw(2, 3, 2, 2), draw(2, 5, 4, 6, seed=1)
        total = 0.0
        for a, b in zip(resized(s, (4, 6)), t, strict=True):
            maps = [[sum(abs(v) ** p for v in f[:, i, j].tolist()) for i in range(4) for j in range(6)] for f in (a, b)]
            maps = [[v / norm(m) for v in m] for m in maps]
            total += sum((u - v) ** 2 for u, v in zip(*maps, strict=True))
        assert ATLoss(p)(s, t).item() == pytest.approx(total / 2, rel=1e-9)

    def test_disjoint_maps_are_at_distance_two(self):
        s, t = torch.zeros(1, 1, 1, 2), torch.zeros(1, 3, 1, 2)
        s[..., 0], t[..., 1] = 1.0, -4.0
        assert ATLoss()(s, t).item() == pytest.approx(2.0)
        assert ATLoss()(torch.zeros_like(s), t).item() == pytest.approx(1.0)
        assert ATLoss()(torch.zeros_like(s), torch.zeros_like(t)).item() == 0

    def test_tiling_the_map_changes_nothing(self):
        s, t = draw(1, 2, 3, 4), draw(1, 4, 3, 4, seed=1)
        torch.testing.assert_close(ATLoss()(s.repeat(1, 1, 2, 2), t.repeat(1, 1, 2, 2)), ATLoss()(s, t))


class TestFitNet:
    def test_by_hand_and_learnable(self):
        loss = FitNetLoss(2, 2, 1)
        loss.regressor.weight.data.copy_(torch.tensor([2.0, -1.0]).reshape(1, 2, 1, 1))
        s = torch.tensor([3.0, 1.0]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2)
        value = loss(s, torch.zeros(1, 1, 4, 4))
        assert value.item() == pytest.approx(25.0)
        value.backward()
        assert loss.regressor.weight.grad.flatten().tolist() == pytest.approx([2 * 5 * 3.0, 2 * 5 * 1.0])
        assert loss.regressor.bias is None

    def test_channels_are_checked(self):
        with pytest.raises(ValueError, match=r"student \(1, 3, 2, 2\) and teacher \(1, 1, 2, 2\) must have 2 and 1"):
            FitNetLoss(2, 2, 1)(torch.zeros(1, 3, 2, 2), torch.zeros(1, 1, 2, 2))


def region_means(feature, target, classes):
    """{class: mean vector} of one image (C, H, W) with labels (H, W) of its size."""
    return {k: [f[target == k].mean().item() for f in feature] for k in range(classes) if bool((target == k).any())}


class TestRAD:
    @pytest.mark.parametrize("classes", [2, 3])
    def test_loop(self, classes):
        s, t, y = draw(3, 4, 4, 4), draw(3, 6, 8, 8, seed=1), labels(3, 1, 8, 8, classes=classes)
        y[1] = 0  # one image of background alone: no pair
        total, pairs = 0.0, 0
        for n in range(3):
            small = F.interpolate(y[n : n + 1].double(), size=(4, 4), mode="nearest")[0, 0]
            of = [region_means(s[n], small, classes), region_means(t[n], y[n, 0], classes)]
            for k in range(classes):
                for other in range(k + 1, classes):
                    if all(k in r and other in r for r in of):
                        total += (cosine(of[0][k], of[0][other]) - cosine(of[1][k], of[1][other])) ** 2
                        pairs += 1
        assert RADLoss(classes)(s, t, y).item() == pytest.approx(total / pairs, rel=1e-9)

    @pytest.mark.parametrize("value", [0, 1])
    def test_one_region_alone_is_zero_with_zero_gradient(self, value):
        s = draw(2, 3, 4, 4).requires_grad_()
        result = RADLoss()(s, draw(2, 3, 4, 4, seed=1), torch.full((2, 1, 4, 4), value))
        result.backward()
        assert result.item() == 0 and torch.equal(s.grad, torch.zeros_like(s))


class TestSPKD:
    def test_loop_over_samples(self):
        s, t = draw(3, 2, 2, 2), draw(3, 4, 3, 3, seed=1)
        grams = []
        for f in (s, t):
            rows = f.flatten(1).tolist()
            gram = [[sum(x * y for x, y in zip(a, b, strict=True)) for b in rows] for a in rows]
            grams.append([[v / norm(row) for v in row] for row in gram])
        total = sum((grams[0][i][j] - grams[1][i][j]) ** 2 for i in range(3) for j in range(3))
        assert SPKDLoss()(s, t).item() == pytest.approx(total / 9, rel=1e-10)

    def test_grid_makes_cells_the_samples(self):
        s, t = draw(1, 2, 4, 4), draw(1, 3, 8, 8, seed=1)
        cells = [F.avg_pool2d(f, f.shape[-1] // 2)[0].flatten(1).T[:, :, None, None] for f in (s, t)]
        torch.testing.assert_close(SPKDLoss(grid=2)(s, t), SPKDLoss()(*cells))

    def test_one_sample_is_refused_without_grid(self):
        with pytest.raises(
            ValueError, match=r"SPKDLoss: student \(1, 2, 4, 4\) and teacher \(1, 3, 4, 4\) are one sample"
        ):
            SPKDLoss()(draw(1, 2, 4, 4), draw(1, 3, 4, 4))


class TestPA:
    def test_loop(self):
        s, t = draw(2, 3, 4, 4), draw(2, 5, 8, 8, seed=1)
        total = 0.0
        for n in range(2):
            nodes = [F.max_pool2d(f[n : n + 1], f.shape[-1] // 2)[0].flatten(1).T.tolist() for f in (s, t)]
            total += sum(
                (cosine(nodes[0][i], nodes[0][j]) - cosine(nodes[1][i], nodes[1][j])) ** 2
                for i in range(4)
                for j in range(4)
            )
        assert PALoss(grid=2)(s, t).item() == pytest.approx(total / (2 * 16), rel=1e-9)

    def test_an_axis_shorter_than_the_grid_stays(self):
        s, t = draw(1, 3, 2, 16), draw(1, 3, 2, 16, seed=1)
        pooled = [F.adaptive_max_pool2d(f, (2, 8)) for f in (s, t)]
        torch.testing.assert_close(PALoss()(s, t), PALoss()(*pooled))

    def test_detached_norm_has_the_value_and_another_gradient(self):
        gradients, values = [], []
        for detach in (False, True):
            s = draw(1, 3, 8, 8).requires_grad_()
            value = PALoss(detach_norm=detach)(s, draw(1, 3, 8, 8, seed=1))
            value.backward()
            values.append(value.item())
            gradients.append(s.grad.flatten())
        assert values[0] == pytest.approx(values[1], rel=1e-10)
        # through the norm, only the part of the gradient across the vector remains
        assert gradients[1].norm() > 1.2 * gradients[0].norm()


class TestIFVD:
    @pytest.mark.parametrize("classes", [2, 3])
    def test_loop(self, classes):
        s, t, y = draw(2, 3, 4, 4), draw(2, 5, 8, 8, seed=1), labels(2, 1, 8, 8, classes=classes)
        total = 0.0
        for n, f_s in enumerate(resized(s, (8, 8))):
            of = [region_means(f, y[n, 0], classes) for f in (f_s, t[n])]
            for i in range(8):
                for j in range(8):
                    k = int(y[n, 0, i, j])
                    pair = [cosine(f[:, i, j].tolist(), r[k]) for f, r in zip((f_s, t[n]), of, strict=True)]
                    total += (pair[0] - pair[1]) ** 2
        assert IFVDLoss(classes)(s, t, y).item() == pytest.approx(total / 128, rel=1e-9)

    def test_scale_of_a_map_changes_nothing(self):
        s, t, y = draw(1, 3, 4, 4), draw(1, 3, 4, 4, seed=1), labels(1, 1, 4, 4)
        torch.testing.assert_close(IFVDLoss()(7 * s, t, y), IFVDLoss()(s, t, y))
