"""CIRKD: the pairs of images and the memory against loops of the formulas, and the content of the queues."""

import math

import pytest
import torch
from torch.nn import functional as F

from medkd.losses import CIRKDLoss
from tests.losses.reference import dot, kl, labels, sample, softmax, unit, unit_vectors


def build(dims=2, student=3, teacher=4, classes=2, seed=0, **options):
    torch.manual_seed(seed)
    return CIRKDLoss(dims, student, teacher, classes, **options).double()


def batch_only(dims=2, student=3, teacher=4, **options):
    return CIRKDLoss(dims, student, teacher, 2, pixel_weight=0, region_weight=0, **options).double()


def pairs_loop(s, t, temperature):
    x_s, x_t = unit_vectors(s), unit_vectors(t)
    total = 0.0
    for i in range(len(x_s)):
        for j in range(len(x_s)):
            rows = 0.0
            for a in range(len(x_s[i])):
                p, q = (softmax([dot(x[i][a], v) / temperature for v in x[j]]) for x in (x_t, x_s))
                rows += kl(p, q)
            total += rows / len(x_s[i])
    return total / len(x_s) ** 2


def projected(loss, vector):
    """g of one pixel in eval mode: 1x1, batch norm by its running statistics, ReLU, 1x1."""
    first, bn, _, last = loss.projector
    hidden = [dot(row, vector) for row in first.weight.flatten(1).tolist()]
    statistics = [x.tolist() for x in (bn.running_mean, bn.running_var, bn.weight, bn.bias)]
    hidden = [w * (h - m) / math.sqrt(v + bn.eps) + b for h, m, v, w, b in zip(hidden, *statistics, strict=True)]
    return [dot(row, [max(h, 0.0) for h in hidden]) for row in last.weight.flatten(1).tolist()]


def fill(queue, *classes):
    """Push lists of vectors, one list a class."""
    for k, vectors in enumerate(classes):
        for vector in vectors:
            rows = torch.zeros(len(classes), 1, len(vector), dtype=torch.float64)
            rows[k, 0] = torch.tensor(vector)
            queue.push(rows, torch.arange(len(classes))[:, None] == k)


def stored(queue):
    """List the vectors of each class."""
    vectors, valid = queue.sample(queue.capacity)
    return [v[flags].tolist() for v, flags in zip(vectors, valid, strict=True)]


def is_among(vector, candidates):
    return any(max(abs(x - y) for x, y in zip(vector, c, strict=True)) < 1e-9 for c in candidates)


class TestBatchTerm:
    @pytest.mark.parametrize("temperature", [0.1, 0.7])
    def test_loop(self, temperature):
        s, t = sample(3, 3, 2, 3), sample(3, 4, 2, 3, seed=1)
        value = batch_only(temperature=temperature)(s, t)
        assert value.item() == pytest.approx(pairs_loop(s, t, temperature), rel=1e-9)

    def test_by_hand_without_square_of_the_temperature(self):
        # teacher's two nodes orthogonal, student's equal; T = 1 / ln 3: rows (3/4, 1/4) and (1/2, 1/2)
        t = torch.tensor([[5.0, 0.0], [0.0, 2.0]], dtype=torch.float64).reshape(1, 2, 1, 2)
        value = batch_only(2, 1, 2, temperature=1 / math.log(3.0))(torch.full((1, 1, 1, 2), 9.0).double(), t)
        assert value.item() == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5), rel=1e-9)

    def test_maps_are_averaged_to_max_nodes(self):
        s, t = sample(2, 3, 6, 6), sample(2, 4, 12, 12, seed=1)
        pooled = F.avg_pool2d(s, 3), F.avg_pool2d(t, 6)
        for max_nodes in (4, 8):  # 2 x 2 is the largest square of at most 8 nodes
            value = batch_only(max_nodes=max_nodes)(s, t)
            assert value.item() == pytest.approx(pairs_loop(*pooled, 0.1), rel=1e-9)

    def test_the_defaults_are_28_squared_and_8_cubed(self):
        s, t = sample(1, 3, 56, 28), sample(1, 4, 56, 28, seed=1)
        pooled = F.avg_pool2d(s, (2, 1)), F.avg_pool2d(t, (2, 1))
        torch.testing.assert_close(batch_only()(s, t), batch_only(max_nodes=10**4)(*pooled))
        s, t = sample(1, 3, 16, 8, 8), sample(1, 4, 16, 8, 8, seed=1)
        pooled = F.avg_pool3d(s, (2, 1, 1)), F.avg_pool3d(t, (2, 1, 1))
        torch.testing.assert_close(batch_only(3)(s, t), batch_only(3, max_nodes=10**4)(*pooled))

    def test_the_smaller_map_gives_the_nodes(self):
        s, t = sample(2, 3, 2, 6), sample(2, 4, 4, 3, seed=1)
        pooled = F.avg_pool2d(s, (1, 2)), F.avg_pool2d(t, (2, 1))
        assert batch_only()(s, t).item() == pytest.approx(pairs_loop(*pooled, 0.1), rel=1e-9)

    def test_student_equal_to_teacher_costs_nothing(self):
        t = sample(2, 4, 3, 3)
        s = (7 * t).requires_grad_()
        value = batch_only(2, 4, 4)(s, t)
        value.backward()
        assert value.item() == pytest.approx(0, abs=1e-12) and s.grad.abs().max() < 1e-10

    def test_depth_one_in_3d_equals_2d(self):
        s, t = sample(2, 3, 3, 4), sample(2, 4, 3, 4, seed=1)
        torch.testing.assert_close(batch_only(3)(s[:, :, None], t[:, :, None]), batch_only()(s, t))

    def test_a_batch_term_of_weight_0_is_not_computed(self, monkeypatch):
        both, memory = build(), build(batch_weight=0)
        s, t, target = sample(2, 3, 4, 4), sample(2, 4, 4, 4, seed=1), labels(2, 1, 4, 4)
        values = []
        for loss in (both, memory):
            torch.manual_seed(3)
            values.append(loss(s, t, target))
        assert set(memory.components) == {"pixel", "region"}
        torch.testing.assert_close(values[1], values[0] - both.components["batch"])
        monkeypatch.setattr(CIRKDLoss, "_batch", None)
        assert torch.isfinite(memory(s, t, target))
        with pytest.raises(ValueError, match="found batch_weight, pixel_weight and region_weight 0, expected one"):
            batch_only(batch_weight=0)

    def test_without_memory_there_is_nothing_to_learn(self):
        loss = batch_only(batch_weight=2.5)
        s, t = sample(2, 3, 2, 2), sample(2, 4, 2, 2, seed=1)
        assert not list(loss.parameters()) and not loss.state_dict()
        assert loss(s, t).item() == pytest.approx(2.5 * pairs_loop(s, t, 0.1), rel=1e-9)


class TestMemory:
    @pytest.mark.parametrize("size", [(2, 3), (4, 6)])
    def test_loop(self, size):
        loss = build(batch_weight=2.0, pixel_weight=0.3, region_weight=0.7, temperature=0.2, pixel_queue=4).eval()
        bn = loss.projector[1]
        for i, x in enumerate((bn.running_mean, bn.weight, bn.bias)):
            x.data.copy_(sample(4, seed=20 + i))
        bn.running_var.copy_(sample(4, seed=30).exp())
        pixel = unit_vectors(sample(2, 4, 3, 1, seed=8))
        pixel[1] = pixel[1][:1]  # slots of class 1 stay empty
        region = [unit_vectors(sample(1, 4, 2, 1, seed=9))[0], []]
        fill(loss.queues["pixel"], *pixel)
        fill(loss.queues["region"], *region)
        s, t = sample(2, 3, *size), sample(2, 4, 2, 3, seed=1)
        f_s = F.interpolate(s, size=(2, 3), mode="bilinear", align_corners=False)
        terms = {"batch": pairs_loop(F.adaptive_avg_pool2d(s, (2, 3)), t, 0.2)}
        for name, (first, second) in {"pixel": pixel, "region": region}.items():
            keys, total = first + second, 0.0
            for n in range(2):
                for column, a in zip(f_s[n].flatten(1).T.tolist(), unit_vectors(t)[n], strict=True):
                    g = unit(projected(loss, column))
                    total += kl(*(softmax([dot(x, key) / 0.2 for key in keys]) for x in (a, g)))
            terms[name] = total / 12
        value = loss(s, t, labels(2, 1, 2, 3))
        assert {k: v.item() for k, v in loss.components.items()} == pytest.approx(terms, rel=1e-6)
        expected = 2 * terms["batch"] + 0.3 * terms["pixel"] + 0.7 * terms["region"]
        assert value.item() == pytest.approx(expected, rel=1e-6)

    def test_fewer_anchors_than_pixels_are_pairs_of_one_position(self):
        loss = build(2, 4, 4, anchors=3).eval()
        for conv in (loss.projector[0], loss.projector[3]):  # g is the identity on non-negative vectors
            conv.weight.data.copy_(torch.eye(4).reshape(4, 4, 1, 1))
        fill(loss.queues["pixel"], *unit_vectors(sample(2, 4, 3, 1, seed=8)))
        t = sample(2, 4, 4, 4).abs()
        loss(t, t, labels(2, 1, 4, 4))
        assert loss.components["pixel"].item() == pytest.approx(0, abs=1e-9)
        loss(t.flip(3), t, labels(2, 1, 4, 4))
        assert loss.components["pixel"] > 1e-3


class TestQueues:
    def test_hold_pixels_of_their_class_and_its_means(self):
        loss = build(classes=3, pixels_per_image=4).train()
        # the rarest class comes last in the raster: taking the first pixels of an image would fail
        y = torch.zeros(2, 1, 4, 4, dtype=torch.long)
        y[0, 0, 3, 2:], y[1, 0, 2:] = 1, 2
        pixels, means = [[], [], []], [[], [], []]
        for step in range(2):
            t = sample(2, 4, 4, 4, seed=10 + step)
            loss(sample(2, 3, 4, 4), t, y)
            for vectors, label in zip(unit_vectors(t), y.flatten(1).tolist(), strict=True):
                for k in set(label):
                    members = [v for v, pixel_class in zip(vectors, label, strict=True) if pixel_class == k]
                    pixels[k] += members
                    means[k].append(unit([sum(column) / len(members) for column in zip(*members, strict=True)]))
        queues = {name: stored(queue) for name, queue in loss.queues.items()}
        # an image adds all its pixels of a class, but no more than four: class 1 has two, in one image
        assert [len(rows) for rows in queues["pixel"]] == [16, 4, 8]
        assert [len(rows) for rows in queues["region"]] == [4, 2, 2]
        for k in range(3):
            assert all(is_among(v, pixels[k]) for v in queues["pixel"][k])
            assert len({tuple(v) for v in queues["pixel"][k]}) == len(queues["pixel"][k])
            assert all(is_among(v, queues["region"][k]) for v in means[k])

    def test_labels_go_to_the_teachers_map_by_nearest(self):
        loss = build()
        t = sample(1, 4, 2, 2)
        y = torch.zeros(1, 1, 4, 4, dtype=torch.long)
        y[0, 0, 2, 2], y[0, 0, 1, 1] = 1, 1  # cell (1, 1) reads label (2, 2); label (1, 1) is read by none
        loss(sample(1, 3, 2, 2), t, y)
        expected = unit_vectors(t)[0][3]
        assert [stored(queue)[1][0] for queue in loss.queues.values()] == [pytest.approx(expected)] * 2
        assert [queue.filled.tolist() for queue in loss.queues.values()] == [[3, 1], [1, 1]]

    def test_an_absent_class_adds_nothing(self):
        loss = build()
        for _ in range(2):
            loss(sample(2, 3, 3, 3), sample(2, 4, 3, 3, seed=1), torch.zeros(2, 1, 3, 3, dtype=torch.long))
        assert {name: queue.filled.tolist() for name, queue in loss.queues.items()} == {
            "pixel": [36, 0],
            "region": [4, 0],
        }

    @pytest.mark.parametrize(("images", "slots"), [(4, 2), (1, 8)])
    def test_a_queue_shorter_than_one_push_keeps_all_of_a_rare_class(self, images, slots):
        loss = build(region_queue=slots, pixel_queue=slots)
        y = torch.zeros(images, 1, 4, 4, dtype=torch.long)
        y[0, 0, 0, :2] = 1  # two pixels, in the first image alone
        loss(sample(images, 3, 4, 4), sample(images, 4, 4, 4, seed=1), y)
        assert [q.filled.tolist() for q in loss.queues.values()] == [[slots, 2], [min(images, slots), 1]]

    def test_eval_mode_adds_nothing(self):
        loss = build().eval()
        before = {name: x.clone() for name, x in loss.state_dict().items()}
        loss(sample(2, 3, 3, 3), sample(2, 4, 3, 3, seed=1), labels(2, 1, 3, 3))
        assert all(torch.equal(x, before[name]) for name, x in loss.state_dict().items())

    def test_state_dict_keeps_them(self):
        loss, other = build(), build(seed=1)
        s, t, y = sample(2, 3, 3, 3), sample(2, 4, 3, 3, seed=1), labels(2, 1, 3, 3)
        loss(s, t, y)
        other.load_state_dict(loss.state_dict())
        torch.testing.assert_close(other.eval()(s, t, y), loss.eval()(s, t, y))
        assert loss.components["region"] > 0 and other.queues["pixel"].filled.tolist() != [0, 0]


class TestLimits:
    def test_gradients_reach_student_and_projector_never_the_teacher(self):
        for weights in ({"pixel_weight": 0.0}, {"region_weight": 0.0}, {}):
            loss = build(batch_weight=0.0, **weights)
            s, t = sample(2, 3, 3, 3).requires_grad_(), sample(2, 4, 3, 3, seed=1).requires_grad_()
            loss(s, t, labels(2, 1, 3, 3)).backward()
            assert t.grad is None and s.grad.abs().sum() > 0
            assert all(p.grad.abs().sum() > 0 for p in loss.parameters()) and len(list(loss.parameters())) == 4

    @pytest.mark.parametrize("scale", [0.0, 1e-4, 1e4])
    @pytest.mark.parametrize("training", [True, False])
    def test_extremes_and_empty_queues_are_finite(self, scale, training):
        loss = build(temperature=0.05).float().train(training)
        s = (scale * sample(2, 3, 4, 4).float()).requires_grad_()
        value = loss(s, scale * sample(2, 4, 4, 4, seed=1).float(), labels(2, 1, 4, 4))
        value.backward()
        assert torch.isfinite(value) and torch.isfinite(s.grad).all()
        assert all(torch.isfinite(p.grad).all() for p in loss.parameters())
        if not training:  # nothing was ever stored
            assert loss.components["pixel"] == loss.components["region"] == 0

    def test_errors_name_what_was_found(self):
        loss, y = build(), labels(2, 1, 4, 4)
        message = r"CIRKDLoss: student \(2, 4, 4, 4\) and teacher \(2, 4, 4, 4\) must have 3 and 4 channels"
        with pytest.raises(ValueError, match=message):
            loss(sample(2, 4, 4, 4), sample(2, 4, 4, 4), y)
        with pytest.raises(ValueError, match=r"CIRKDLoss: student \(2, 3, 4, 4\) and teacher \(1, 4, 4, 4\) must have"):
            loss(sample(2, 3, 4, 4), sample(1, 4, 4, 4), y)
        with pytest.raises(ValueError, match=r"CIRKDLoss: student \(2, 3, 4\) and teacher \(2, 4, 4, 4\) must have"):
            loss(sample(2, 3, 4), sample(2, 4, 4, 4), y)
        with pytest.raises(ValueError, match="CIRKDLoss: needs a target, found None"):
            loss(sample(2, 3, 4, 4), sample(2, 4, 4, 4))
        with pytest.raises(ValueError, match=r"CIRKDLoss: target \(1, 1, 4, 4\) does not fit the map \(2, 4, 4, 4\)"):
            loss(sample(2, 3, 4, 4), sample(2, 4, 4, 4), y[:1])
        for name in ("temperature", "max_nodes", "anchors"):
            with pytest.raises(ValueError, match=f"CIRKDLoss: {name} must be positive, found 0"):
                build(**{name: 0})
