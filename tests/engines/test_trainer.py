"""The trainer: what is trained and what is frozen, logged values, precision, accumulation, clipping."""

from functools import partial

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader
from monai.losses import DiceCELoss
from torch import nn

from medkd import methods
from medkd.engines import DistillationTrainer
from medkd.engines.clipping import clip_gradients
from medkd.losses import ATLoss, CombinedLoss
from medkd.networks import FeatureTaps, ResNetFCN, UNetPlusPlus


def tapped(network):
    return FeatureTaps(network, **network.default_taps())


def batches(count=3, size=2, dims=2, edge=32):
    generator = torch.Generator().manual_seed(3)
    shape = (count * size, 1, *[edge] * dims)
    images, labels = torch.rand(shape, generator=generator), torch.rand(shape, generator=generator) > 0.5
    items = [{"image": i, "label": y.long()} for i, y in zip(images, labels, strict=True)]
    return DataLoader(items, batch_size=size)


def make(method="hlfd", dims=2, optimize_loss=True, args=None, width=4, **options):
    torch.manual_seed(0)
    student = tapped(ResNetFCN(dims, 1, 2, width=width))
    teacher = tapped(UNetPlusPlus(dims, 1, 2, width=4, deep_supervision=True))
    loss = methods.build(method, DiceCELoss(softmax=True, to_onehot_y=True), student, teacher, args)
    parameters = [*student.network.parameters(), *(loss.adaptors() if optimize_loss else ())]
    options = {"train_data_loader": batches(dims=dims), "max_epochs": 1, **options}
    return DistillationTrainer(
        device="cpu",
        student=student,
        optimizer=torch.optim.SGD(parameters, lr=0.1),
        loss=loss,
        teacher=teacher if method != "none" else None,
        **options,
    )


def snapshot(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(before, module):
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("dims", [2, 3])
def test_student_and_heads_learn_and_the_teacher_stays_bit_for_bit(dims):
    trainer = make(dims=dims)
    teacher, student, loss = (snapshot(m) for m in (trainer.teacher, trainer.network, trainer.loss))
    trainer.run()
    assert changed(teacher, trainer.teacher) == set()
    assert all(p.grad is None for p in trainer.teacher.parameters())
    assert "head.weight" in changed(student, trainer.network)
    assert changed(loss, trainer.loss) == set(loss)  # every head


def test_teacher_is_called_once_a_step_in_eval_mode():
    trainer = make()
    calls = []
    trainer.teacher.taps.network.register_forward_hook(lambda m, i, o: calls.append((m.training, o.requires_grad)))
    trainer.run()
    assert calls == [(False, False)] * 3


def test_named_terms_of_each_step_and_their_means():
    trainer = make()
    steps = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda e: steps.append(dict(e.state.output["terms"])))
    totals = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda e: totals.append(e.state.output["loss"].item()))
    trainer.run()
    assert set(steps[0]) == {"task", "hlfd", "hlfd/ufd", "hlfd/ifd", "hlfd/upd", "hlfd/ipd"}
    for terms, total in zip(steps, totals, strict=True):
        assert (terms["task"] + terms["hlfd"]).item() == pytest.approx(total, rel=1e-6)
    means = trainer.state.metrics
    assert float(means["loss"]) == pytest.approx(sum(totals) / 3, rel=1e-6)
    assert float(means["loss/hlfd/ifd"]) == pytest.approx(sum(t["hlfd/ifd"].item() for t in steps) / 3, rel=1e-6)


@pytest.mark.parametrize(("memory_format", "tolerance"), [("contiguous", 0), ("auto", 1e-4)])
def test_supervised_baseline_equals_a_plain_loop(memory_format, tolerance):
    data = batches(
        edge=64
    )  # the bottleneck of smaller images has two values a channel: its norm would amplify rounding
    trainer = make("none", width=16, memory_format=memory_format, train_data_loader=data)
    torch.manual_seed(0)
    network = ResNetFCN(2, 1, 2, width=16)
    trainer.run()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    task = DiceCELoss(softmax=True, to_onehot_y=True)
    for batch in data:
        optimizer.zero_grad()
        task(network(batch["image"]), batch["label"]).backward()
        optimizer.step()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(trainer.network.state_dict()[name], value, rtol=tolerance, atol=tolerance, msg=name)


def test_learnable_parts_outside_the_optimizer_are_refused():
    with pytest.raises(ValueError, match=r"loss parameter losses.hlfd.heads.0.weight is not in the optimizer"):
        make(optimize_loss=False)


def test_a_training_that_diverges_stops_at_its_first_epoch():
    trainer = make("none")
    trainer.optimizer.param_groups[0]["lr"] = 1e30
    with pytest.raises(
        ValueError, match="training stopped after epoch 1: found a loss of nan and .* with NaN or infinity"
    ):
        trainer.run()


def test_amp_follows_the_device_and_the_loss_stays_float32():
    trainer = make("kd", amp=True, epoch_length=1)
    recorded = []
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED,
        lambda e: recorded.append((e.state.output["pred"].dtype, e.state.output["loss"].dtype)),
    )
    teacher = []
    trainer.teacher.taps.network.register_forward_hook(lambda m, i, o: teacher.append(o.dtype))
    trainer.run()
    assert set(recorded) == {(torch.bfloat16, torch.float32)}
    assert set(teacher) == {torch.bfloat16}
    assert trainer.scaler is None  # bfloat16 needs none
    full = make("kd", amp=False, epoch_length=1)
    full.run()
    assert float(trainer.state.metrics["loss"]) == pytest.approx(float(full.state.metrics["loss"]), rel=0.02)


@pytest.mark.parametrize("dims", [2, 3])
def test_networks_run_with_channels_last_on_a_cpu(dims):
    trainer = make("hlfd", dims=dims, width=16)  # a narrower one stays contiguous in 2-D
    last = torch.channels_last if dims == 2 else torch.channels_last_3d
    layouts = []
    for network in (trainer.network, trainer.teacher.taps.network):
        network.register_forward_hook(lambda m, i, o: layouts.append(i[0].stride(1)))
        for module in network.modules():
            if (
                isinstance(module, nn.Conv2d | nn.Conv3d) and module.out_channels > 2
            ):  # logits are made contiguous anyway
                module.register_forward_hook(lambda m, i, o: layouts.append(o.stride(1)))
        assert all(p.is_contiguous(memory_format=last) for p in network.parameters() if p.ndim == dims + 2)
    logits = []
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda e: logits.append(e.state.output["pred"].is_contiguous())
    )
    trainer.run()
    assert set(layouts) == {1} and all(logits)
    assert trainer.settings == {"precision": "float32", "memory_format": "channels_last"}


def test_a_narrow_resnet_stays_contiguous():
    """With channels last its training at 256 x 256 crashed the process: https://github.com/uxlfoundation/oneDNN/issues/6035."""
    trainer = make("kd", width=8, train_data_loader=batches(count=1, edge=256))
    assert trainer.settings["memory_format"] == "contiguous"
    trainer.run()
    networks = (trainer.network, trainer.teacher.taps.network)
    assert all(p.is_contiguous() for network in networks for p in network.parameters())
    with pytest.raises(ValueError, match="memory_format: found channels_last on a CPU"):
        make("kd", width=8, memory_format="channels_last")


def test_contiguous_layout_is_kept_by_option():
    trainer = make("kd", width=16, memory_format="contiguous")  # `auto` keeps a narrower one contiguous too
    assert all(p.is_contiguous() for p in trainer.network.parameters())
    assert trainer.settings["memory_format"] == "contiguous"


class Small(nn.Module):
    """Without batch norm, so that two half batches have the gradient of the whole one."""

    in_channels = 1

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(1, 4, 3, padding=1)
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, image):
        return self.head(self.body(image).relu())


def small_trainer(**options):
    torch.manual_seed(0)
    student = FeatureTaps(Small())
    return DistillationTrainer(
        device="cpu",
        max_epochs=1,
        student=student,
        optimizer=torch.optim.SGD(student.parameters(), lr=1.0),
        loss=CombinedLoss(lambda z, y: nn.functional.cross_entropy(z, y[:, 0]), {}),
        **options,
    )


def test_accumulated_halves_equal_the_whole_batch():
    halves = small_trainer(train_data_loader=batches(count=2, size=2), accumulation_steps=2)
    whole = small_trainer(train_data_loader=batches(count=1, size=4))
    halves.run()
    whole.run()
    for a, b in zip(halves.network.parameters(), whole.network.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_clipping_bounds_the_step():
    trainer = small_trainer(train_data_loader=batches(count=1), clip_norm=1e-3)
    before = [p.detach().clone() for p in trainer.network.parameters()]
    trainer.run()
    step = torch.cat([(a - b).flatten() for a, b in zip(before, trainer.network.parameters(), strict=True)])
    assert step.norm().item() == pytest.approx(1e-3, rel=1e-3)  # learning rate 1


@pytest.mark.parametrize("fused", [False, True])  # a fused optimizer unscales within its step
@pytest.mark.parametrize("clip_norm", [None, 1e-2])
def test_a_scaled_gradient_is_unscaled_before_it_is_clipped(fused, clip_norm):
    def trained(scale):
        torch.manual_seed(0)
        student = FeatureTaps(Small())
        optimizer = torch.optim.SGD(student.parameters(), lr=1.0, fused=fused)
        loss = CombinedLoss(lambda z, y: nn.functional.cross_entropy(z, y[:, 0]), {})
        data = batches(count=4)
        trainer = DistillationTrainer(
            "cpu", 1, data, student, optimizer, loss, clip_norm=clip_norm, accumulation_steps=2
        )
        if scale:
            trainer.amp = True  # MONAI's path of CUDA, with a scaler of the CPU; without CUDA its autocast is off
            trainer.add_event_handler(
                Events.STARTED, lambda e: setattr(e, "scaler", torch.amp.GradScaler("cpu", init_scale=scale))
            )
        trainer.run()
        return snapshot(trainer.network)

    expected, scaled = trained(None), trained(2.0**14)
    for name, value in expected.items():
        torch.testing.assert_close(scaled[name], value, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_with_an_infinite_gradient_is_left_out(fused):
    parameter = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([parameter], fused=fused)
    optimizer.register_step_pre_hook(partial(clip_gradients, clip_norm=1.0))
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for factor in (float("inf"), 1.0):
        optimizer.zero_grad()
        scaler.scale(parameter.sum() * factor).backward()
        scaler.step(optimizer)
        scaler.update()
        assert torch.equal(parameter.detach(), torch.ones(2)) == (factor != 1.0)
    assert torch.isfinite(parameter).all() and scaler.get_scale() == 2.0


@pytest.mark.parametrize(("saved", "loaded"), [(None, True), (True, None)])
def test_a_fused_optimizer_resumes_a_run_of_another_device(saved, loaded):
    def trained(fused, state=None):
        torch.manual_seed(0)
        student = FeatureTaps(Small())
        optimizer = torch.optim.Adam(student.parameters(), lr=0.1, fused=fused)
        loss = CombinedLoss(lambda z, y: nn.functional.cross_entropy(z, y[:, 0]), {})
        trainer = DistillationTrainer("cpu", 1, batches(), student, optimizer, loss)
        if state is not None:
            optimizer.load_state_dict(state)
            trainer.amp = True
            scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
            trainer.add_event_handler(Events.STARTED, lambda e: setattr(e, "scaler", scaler))
        trainer.run()
        return trainer

    state = trained(saved).optimizer.state_dict()
    resumed = trained(loaded, state).optimizer
    assert resumed.param_groups[0]["fused"] is loaded
    assert all(float(values["step"]) == 6 for values in resumed.state.values())


@pytest.mark.slow
def test_a_compiled_student_learns_the_same_and_keeps_its_names():
    def trained(compile):
        torch.manual_seed(0)
        student, teacher = (FeatureTaps(Small(), encoder=["body"]) for _ in range(2))
        loss = CombinedLoss(
            lambda z, y: nn.functional.cross_entropy(z, y[:, 0]),
            {"at": {"loss": ATLoss(), "weight": 1.0, "tap": "encoder.0"}},
        )
        optimizer = torch.optim.SGD(student.parameters(), lr=1.0)
        trainer = DistillationTrainer("cpu", 1, batches(), student, optimizer, loss, teacher, compile=compile)
        trainer.run()
        assert (student._compiled_call_impl is not None) == compile
        return trainer

    plain, compiled = trained(False), trained(True)
    expected, learned = plain.network.state_dict(), compiled.network.state_dict()
    assert expected.keys() == learned.keys()  # no prefix of the compiled module
    assert compiled.state.metrics["loss/at"] > 0
    for name, value in expected.items():
        torch.testing.assert_close(learned[name], value, rtol=1e-4, atol=1e-5)


def test_a_machine_that_cannot_compile_is_told_before_the_training(monkeypatch):
    def broken(function):
        raise RuntimeError("InductorError: no C++ compiler found\nmore")

    monkeypatch.setattr(torch, "compile", broken)
    message = r"--compile: torch.compile does not work here on cpu \(InductorError: no C\+\+ compiler found\), expected"
    with pytest.raises(ValueError, match=message):
        make("none", compile=True)


def test_monai_puts_the_image_into_the_output_before_the_loss_is_called():
    # the trainer reads it there: if MONAI changes the order, this fails first
    trainer = make()
    keys = []
    inner = trainer.loss_function

    def spy(prediction, target):
        keys.append(set(trainer.state.output))
        return inner(prediction, target)

    trainer.loss_function = spy
    trainer.run()
    assert all({"image", "label", "pred"} <= result for result in keys) and len(keys) == 3


def weights_by_epoch(method, epochs, **args):
    trainer = make(method, max_epochs=epochs, args=args)
    recorded = []
    # after the last of the three steps of each epoch: what the steps were weighed by
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED(every=3), lambda e: recorded.append(dict(trainer.loss.weights))
    )
    trainer.run()
    return recorded


@pytest.mark.filterwarnings("ignore:DKDLoss")
def test_dkd_grows_over_its_epochs_as_in_mdistiller():
    weights = weights_by_epoch("dkd", 4, warmup=3, weight=2.0)
    assert [w["dkd"] for w in weights] == pytest.approx([2 * min(epoch / 3, 1) for epoch in (1, 2, 3, 4)])
    assert {w["task"] for w in weights} == {1.0}


def test_fitnet_trains_its_hint_alone_first():
    weights = weights_by_epoch("fitnet", 3, hint_epochs=2)
    assert [(w["task"], w["kd"], w["hint"]) for w in weights] == [(0, 0, 10), (0, 0, 10), (1, 1, 10)]


def test_without_warm_up_weights_are_whole_from_the_first_epoch():
    assert [w["kd"] for w in weights_by_epoch("kd", 2)] == [1.0, 1.0]


def test_the_discriminator_steps_once_after_each_step_of_the_student():
    trainer = make("skd", train_data_loader=batches(size=2, edge=64))
    holistic = trainer.loss.losses["holistic"]
    held = {id(p) for group in trainer.optimizer.param_groups for p in group["params"]}
    assert not held & {id(p) for p in holistic.parameters()}
    order = []
    holistic.optimizer.register_step_post_hook(lambda *_: order.append("discriminator"))
    trainer.optimizer.register_step_post_hook(lambda *_: order.append("student"))
    before = snapshot(holistic.discriminator)
    trainer.run()
    assert order == ["student", "discriminator"] * 3
    assert {"layers.0.parametrizations.weight.original", "norm.weight"} <= changed(before, holistic.discriminator)
    assert all(p.grad is None for p in holistic.parameters())
    assert trainer.state.metrics["loss/holistic/discriminator"] > 0


@pytest.mark.parametrize("dims", [2, 3])
def test_a_student_learns_from_images_without_labels(dims):
    def learned(placeholder, method="dkd"):
        items = [{**item, "labelled": number % 2 == 0} for number, item in enumerate(batches(dims=dims).dataset)]
        for item in items[1::2]:
            item["label"] = torch.full_like(item["label"], placeholder)
        trainer = make(method, dims=dims, train_data_loader=DataLoader(items, batch_size=2))
        trainer.run()
        return snapshot(trainer.network), trainer.state.metrics["loss/task"]

    (first, task), (second, _), (third, _) = learned(0), learned(1), learned(0, "ifvd")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], third[name]) for name in first) and task > 0


def test_a_student_without_a_label_learns_from_its_teacher():
    items = [{**item, "labelled": False} for item in batches().dataset]
    trainer = make("kd", args={"warmup": 0}, train_data_loader=DataLoader(items, batch_size=2))
    before = snapshot(trainer.network)
    trainer.run()
    assert changed(before, trainer.network) and trainer.state.metrics["loss/task"] == 0


def test_unlabelled_images_without_a_teacher_are_refused():
    items = [{**item, "labelled": False} for item in batches().dataset]
    with pytest.raises(ValueError, match="CombinedLoss: found unlabelled images without a teacher"):
        make("none", train_data_loader=DataLoader(items, batch_size=2)).run()
