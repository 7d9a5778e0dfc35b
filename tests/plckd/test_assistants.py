"""The teacher team: what assistants are trained on, what the student is taught, and who sees labels."""

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader
from monai.losses import DiceCELoss

from medkd import methods
from medkd.correction import FalsePixelQueue, TeacherTeam, correct_soft_labels, is_correct
from medkd.engines import DistillationTrainer
from medkd.networks import FeatureTaps, UNet
from medkd.plckd import BoundaryBatches, FalsePixelBatches, init_assistant, norm_layers, teacher_team


def network(seed=0, width=2):
    torch.manual_seed(seed)
    return UNet(2, 1, 2, width=width)


def tapped(seed=0):
    net = network(seed)
    return FeatureTaps(net, **net.default_taps()).eval()


def divided(seed, image):
    """A network that gives half of the pixels to each class."""
    taps = tapped(seed)
    with torch.no_grad():
        logits = taps(image).logits
        taps.network.head.bias[1] -= (logits[:, 1] - logits[:, 0]).median()
    return taps


def images(count=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(count, 1, 32, 32, generator=generator)
    return x, (torch.nn.functional.avg_pool2d(x, 5, 1, 2) > 0.5).long()


def loader(count=4):
    return DataLoader([{"image": i, "label": y} for i, y in zip(*images(count), strict=True)], batch_size=2)


def trainer(net, batches, queue=None, **options):
    taps = FeatureTaps(net, **net.default_taps())
    loss = methods.build("none", DiceCELoss(softmax=True, to_onehot_y=True), taps)
    optimizer = torch.optim.SGD(taps.parameters(), lr=0.1)
    handlers = [batches] if hasattr(batches, "attach") else []
    return DistillationTrainer(
        "cpu", 1, loader(), taps, optimizer, loss, prepare_batch=batches, train_handlers=handlers, **options
    )


class TestTeam:
    def test_it_gives_the_teachers_features_with_right_logits(self):
        x, y = images()
        team = TeacherTeam(tapped(), network(1).eval(), network(2).eval())
        with torch.no_grad():
            features, plain = team(x, y), team.teacher(x)
        assert torch.equal(features.logits.argmax(1, keepdim=True), y)
        assert all(torch.equal(a, b) for a, b in zip(features.decoder, plain.decoder, strict=True))
        right = is_correct(torch.softmax(plain.logits, 1), y).expand_as(plain.logits)
        torch.testing.assert_close(torch.softmax(features.logits, 1)[right], torch.softmax(plain.logits, 1)[right])
        lonely = TeacherTeam(tapped())
        lonely(x, y)
        assert sum(lonely.correction.tally.values()) == int((~right[:, :1]).sum()) > 0

    def test_each_assistant_has_its_place_and_similarity_is_that_of_the_penultimate_map(self):
        x, y = images()
        team = TeacherTeam(divided(0, x), divided(1, x).network, divided(2, x).network)
        with torch.no_grad():
            features, found = team.teacher(x), team.soft_labels(x, y)
            first, second = (torch.softmax(net(x), 1) for net in (team.false_pixel, team.boundary))
        initial = torch.softmax(features.logits, 1)
        expected = correct_soft_labels(initial, y, first, second, features.decoder[-1])
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
        assert not torch.equal(found.false_pixel, correct_soft_labels(initial, y, second, first).false_pixel)
        assert not torch.equal(found.ultimate, correct_soft_labels(initial, y, first, second, features.logits).ultimate)

    def test_swap_needs_nobody_else(self):
        x, y = images()
        with torch.no_grad():
            team, plain = TeacherTeam(tapped(), swap=True)(x, y), torch.softmax(tapped()(x).logits, 1)
        torch.testing.assert_close(torch.softmax(team.logits, 1).sort(1).values, plain.sort(1).values)
        assert torch.equal(team.logits.argmax(1, keepdim=True), y)

    @pytest.mark.parametrize(
        ("args", "parts"),
        [
            ({}, (True, True, True)),
            ({"false_pixel": False, "boundary": False}, (False, False, True)),
            ({"similarity": False, "boundary": False}, (True, False, False)),
        ],
    )
    def test_a_method_says_who_is_in_it(self, tmp_path, args, parts):
        paths = []
        for seed in (1, 2):
            paths.append(tmp_path / f"{seed}.pt")
            torch.save(network(seed).state_dict(), paths[-1])
        team = teacher_team("plckd", args, tapped(), *paths)
        assert (team.false_pixel is not None, team.boundary is not None, team.correction.similarity) == parts
        if team.false_pixel is not None:
            torch.testing.assert_close(team.false_pixel.state_dict(), network(1).state_dict())
        if team.boundary is not None:
            torch.testing.assert_close(team.boundary.state_dict(), network(2).state_dict())

    def test_other_methods_keep_the_teacher_and_read_no_assistant(self, tmp_path):
        teacher = tapped()
        single = teacher_team("kd", {}, teacher, tmp_path / "a", tmp_path / "b")
        assert single.team is None and single.taps is teacher
        assert teacher_team("swap", {}, teacher, tmp_path / "a", tmp_path / "b").correction.swap
        with pytest.raises(FileNotFoundError, match="false_pixel_assistant .*no such file"):
            teacher_team("plckd", {}, teacher, tmp_path / "a", tmp_path / "b")

    @pytest.mark.parametrize("base", ["kd", "dkd", "cwd"])
    @pytest.mark.filterwarnings("ignore:DKDLoss")
    def test_the_student_learns_the_corrected_labels_by_any_logit_method(self, base):
        student, team = tapped(5), TeacherTeam(tapped())
        loss = methods.build("plckd", DiceCELoss(softmax=True, to_onehot_y=True), student, team.teacher, {"base": base})
        assert set(loss.losses) == set(methods.build(base, None, student, team.teacher).losses)
        assert set(loss.ramps.values()) == {(0, 5)}
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
        engine = DistillationTrainer("cpu", 1, loader(), student, optimizer, loss, team)
        seen = []
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda e: seen.append(e.state.output["terms"][base]))
        engine.run()
        assert len(seen) == 2 and all(value > 0 for value in seen)
        assert not any(p.requires_grad for p in team.parameters())

    def test_another_base_is_refused(self):
        with pytest.raises(ValueError, match="method plckd: base: found 'at', expected one of kd, dkd, cwd"):
            methods.build("plckd", None, tapped(), tapped(), {"base": "at"})


class TestFalsePixelBatches:
    def test_the_queue_is_filled_first_and_images_come_from_it(self, capsys):
        queue, teacher = FalsePixelQueue(1, 2, 300), network(3)
        batches = FalsePixelBatches(teacher, queue, k=100)
        engine = trainer(network(4), batches)
        engine.run()
        assert queue.is_full
        assert "class 0 300, class 1 300" in capsys.readouterr().out
        x, y = images(2)
        made, masks = batches({"image": x, "label": y})
        for k in (0, 1):
            assert set(made[masks == k].tolist()) <= set(queue.slots[k, :300, 0].tolist())
        assert not teacher.training and not any(p.requires_grad for p in teacher.parameters())

    def test_real_images_are_mixed_in(self):
        queue = FalsePixelQueue(1, 2, 50)
        batches = FalsePixelBatches(network(3), queue, mix_real=1.0)
        x, y = images(2)
        queue.push(x, y, 1 - y, 50)
        made, masks = batches({"image": x, "label": y})
        assert torch.equal(made, x) and torch.equal(masks, y)

    def test_a_teacher_that_is_always_right_is_an_error(self):
        class Oracle(torch.nn.Module):
            def forward(self, x):
                y = torch.nn.functional.avg_pool2d(x, 5, 1, 2) > 0.5
                return torch.cat([~y, y], 1).float()

        with pytest.raises(ValueError, match="the teacher makes no error on the training images"):
            trainer(network(), FalsePixelBatches(Oracle(), FalsePixelQueue(1, 2, 50))).run()

    def test_a_class_without_errors_takes_its_most_doubtful_pixels(self, capsys):
        class AllLesion(torch.nn.Module):
            def forward(self, x):
                return torch.cat([0 * x, x + 1], 1)  # every background pixel is wrong, no lesion pixel is

        queue = FalsePixelQueue(1, 2, 40)
        trainer(network(), FalsePixelBatches(AllLesion(), queue, k=10)).run()
        assert "the teacher makes no error on class [1]" in capsys.readouterr().out
        x, y = images()
        for image, label in zip(x, y, strict=True):
            lowest = image[label == 1].sort().values[0].item()  # of least probability
            assert lowest in queue.slots[1, :40, 0].tolist()

    def test_a_mask_without_lesion_is_replaced(self):
        queue = FalsePixelQueue(1, 2, 50)
        batches = FalsePixelBatches(network(3), queue)
        x, y = images(2)
        queue.push(x, y, 1 - y, 50)
        y[0] = 0
        _, masks = batches({"image": x, "label": y})
        assert torch.equal(masks[0], y[1]) and torch.equal(masks[1], y[1])


def test_boundary_batches_move_pixels_within_lesions_alone():
    x, y = images(2)
    image, label = BoundaryBatches(width=1)({"image": x, "label": y})
    assert torch.equal(label, y) and torch.equal(image[y == 0], x[y == 0]) and not torch.equal(image, x)
    assert torch.equal(image[y == 1].sort().values, x[y == 1].sort().values)


def test_frozen_batch_norm_keeps_its_statistics():
    net = network(4)
    engine = trainer(net, BoundaryBatches(1), eval_modules=norm_layers(net))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    engine.run()
    assert all(torch.equal(v, before[n]) for n, v in net.state_dict().items() if "running" in n)
    assert any(not torch.equal(v, before[n]) for n, v in net.state_dict().items())


def test_assistants_begin_from_the_teacher_or_anew(tmp_path):
    torch.save(network(1).state_dict(), tmp_path / "model.pt")
    torch.testing.assert_close(init_assistant(network(2), tmp_path, "teacher").state_dict(), network(1).state_dict())
    torch.testing.assert_close(init_assistant(network(2), tmp_path, "scratch").state_dict(), network(2).state_dict())
    with pytest.raises(ValueError, match="init: found 'techer', expected teacher or scratch"):
        init_assistant(network(2), tmp_path, "techer")
