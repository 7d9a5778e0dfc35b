"""nnU-Net's networks and folders: names, shapes and outputs of the originals, plans of both forms, what is refused."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from medkd.networks import FeatureTaps, UNet
from medkd.teachers import NNUNet, teacher_kind
from medkd.teachers.intensity import Linear, RescaleTo01, ZScore
from medkd.teachers.nnunet_folder import build_network, nnunet_folder, read_nnunet

# What dynamic-network-architectures 0.4.4 builds: all names and shapes, and outputs for weights by the formula below.
FACTS = json.loads((Path(__file__).parent / "nnunet_facts.json").read_text())


def plan_of(fact):
    name = f"dynamic_network_architectures.architectures.unet.{fact['kind']}"
    return {"architecture": {"network_class_name": name, "arch_kwargs": fact["arch_kwargs"], "_kw_requires_import": []}}


def is_second_name(key):
    return ".all_modules." in key or key.startswith("decoder.encoder.")


def by_formula(shapes):
    """Weights that need no file: a sine over each tensor, by its place in the sorted names."""
    weights = {}
    for i, (name, shape) in enumerate(sorted(shapes.items())):
        count = int(np.prod(shape))
        wave = torch.sin(torch.arange(count, dtype=torch.float64) * 0.7 + i) / max(1, count / shape[0]) ** 0.5
        weights[name] = (wave + name.endswith("norm.weight")).float().reshape(shape)
    return weights


@pytest.mark.parametrize("name", FACTS)
def test_names_shapes_and_outputs_are_those_of_the_original(name):
    fact = FACTS[name]
    shapes = {key: tuple(shape) for key, shape in fact["state"].items() if not is_second_name(key)}
    classes = next(shape[0] for key, shape in shapes.items() if "seg_layers" in key)
    network = build_network(plan_of(fact), 1, classes).eval()
    assert {key: tuple(value.shape) for key, value in network.state_dict().items()} == shapes
    network.load_state_dict(by_formula(shapes))
    count = int(np.prod(fact["size"]))
    image = torch.cos(torch.arange(count, dtype=torch.float64) * 0.3).float().reshape(1, 1, *fact["size"])
    output = network(image).flatten()
    found = output[:: max(1, output.numel() // 8)][:8].tolist()
    assert found == pytest.approx(fact["output"], abs=1e-5)


@pytest.mark.parametrize("name", FACTS)
def test_taps_are_the_stages(name):
    network = build_network(plan_of(FACTS[name]), 1, 2).eval()
    taps = FeatureTaps(network, **network.default_taps())
    assert [map_.shape[1] for map_ in taps.shapes.encoder] == FACTS[name]["arch_kwargs"]["features_per_stage"]
    assert taps.shapes.decoder[-1].shape[2:] == taps.shapes.logits.shape[2:]
    assert network.multiple == ((2, 4, 4) if name == "plain_3d" else (4, 4))


def test_plans_of_the_older_form_give_the_same_network():
    fact = FACTS["plain_3d"]
    new, args = build_network(plan_of(fact), 1, 2), fact["arch_kwargs"]
    old = build_network(
        {
            "UNet_class_name": "PlainConvUNet",
            "patch_size": [8, 8, 8],
            "n_conv_per_stage_encoder": args["n_conv_per_stage"],
            "n_conv_per_stage_decoder": args["n_conv_per_stage_decoder"],
            "conv_kernel_sizes": args["kernel_sizes"],
            "pool_op_kernel_sizes": args["strides"],
            "UNet_base_num_features": 2,
            "unet_max_num_features": 4,
        },
        1,
        2,
    )
    assert repr(old) == repr(new)
    old.load_state_dict(new.state_dict())


def test_numbers_may_stand_for_lists():
    plan = json.loads(json.dumps(plan_of(FACTS["plain_2d"])))
    wanted = build_network(plan, 1, 2)
    args = plan["architecture"]["arch_kwargs"]
    args.update(kernel_sizes=3, strides=[1, 2, 2])
    assert repr(build_network(plan, 1, 2)) == repr(wanted)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_folder_a_fold_and_a_checkpoint(nnunet_model, tmp_path, dims, residual):
    folder = tmp_path / "nnUNetTrainer__nnUNetPlans__used"
    network = nnunet_model(folder, dims=dims, residual=residual)
    image = torch.rand(1, 1, *[16] * dims)
    for path in (folder, folder / "fold_0", folder / "fold_0/checkpoint_final.pth"):
        model = read_nnunet(path)
        assert torch.equal(model.network.eval()(image), network(image))
        assert model.file == folder / "fold_0/checkpoint_final.pth"
    assert model.scalings == [Linear(1 / 60, -90 / 60, -70.0, 280.0)]


def test_a_run_of_ours_inside_a_model_folder_is_ours(nnunet_model, tmp_path):
    nnunet_model(tmp_path / "model")
    for folder in (tmp_path / "model/student", tmp_path / "model/fold_0/student"):
        folder.mkdir()
        torch.save(UNet(2, 1, 2, width=2).state_dict(), folder / "model.pt")
        for path in (folder, folder / "model.pt"):
            assert nnunet_folder(path) is None and teacher_kind(path) == "weights"


def test_the_configuration_is_the_checkpoints_or_the_folders(nnunet_model, tmp_path):
    folder = tmp_path / "nnUNetTrainer__nnUNetPlans__used"
    nnunet_model(folder)
    change(folder / "plans.json", lambda plans: plans["configurations"].update(more={"inherits_from": "used"}))
    rewrite(folder, lambda content: content["init_args"].update(configuration="more"))
    assert isinstance(read_nnunet(folder).network, NNUNet)
    rewrite(folder, lambda content: content.pop("init_args"))
    assert isinstance(read_nnunet(folder).network, NNUNet)


@pytest.mark.parametrize(
    ("scheme", "scaling"),
    [
        ("ZScoreNormalization", ZScore()),
        ("RescaleTo01Normalization", RescaleTo01()),
        ("NoNormalization", Linear()),
        ("TheirOwn", None),
    ],
)
def test_normalizations(nnunet_model, tmp_path, scheme, scaling):
    nnunet_model(tmp_path / "model", scheme=scheme)
    assert read_nnunet(tmp_path / "model").scalings == [scaling]


def test_a_normalization_within_a_mask_is_not_known(nnunet_model, tmp_path):
    nnunet_model(tmp_path / "model", scheme="ZScoreNormalization")
    change(tmp_path / "model/plans.json", lambda p: p["configurations"]["model"].update(use_mask_for_norm=[True]))
    assert read_nnunet(tmp_path / "model").scalings == [None]


def change(file, edit):
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))


def rewrite(folder, edit):
    file = folder / "fold_0/checkpoint_final.pth"
    content = torch.load(file, weights_only=False)
    edit(content)
    torch.save(content, file)


def of_architecture(**values):
    def edit(plans):
        plans["configurations"]["used"]["architecture"]["arch_kwargs"].update(values)

    return lambda folder: change(folder / "plans.json", edit)


def of_plans(edit):
    return lambda folder: change(folder / "plans.json", edit)


FAULTS = [
    (lambda folder: (folder / "dataset.json").unlink(), FileNotFoundError, "dataset.json: no such file"),
    (lambda folder: (folder / "fold_0/checkpoint_final.pth").unlink(), FileNotFoundError, "no checkpoint_final.pth or"),
    (lambda folder: (folder / "plans.json").write_text("{"), ValueError, "plans.json: not a JSON file"),
    (lambda folder: (folder / "plans.json").write_text("[]"), ValueError, "plans.json: holds list"),
    (of_plans(lambda p: p.pop("configurations")), ValueError, "without 'configurations'"),
    (
        of_plans(lambda p: p["configurations"]["used"].pop("normalization_schemes")),
        ValueError,
        "without 'normalization_sch",
    ),
    (of_plans(lambda p: p["configurations"]["used"].pop("architecture")), ValueError, "without 'UNet_class_name'"),
    (of_plans(lambda p: p.update(configurations={"other": {}})), ValueError, "no configuration 'used' .* it has other"),
    (of_plans(lambda p: p["configurations"]["used"].update(inherits_from="used")), ValueError, "inherits from used"),
    (of_plans(lambda p: p["configurations"]["used"].update(previous_stage="x")), ValueError, "a cascade"),
    (of_plans(lambda p: p["configurations"]["used"].update(architecture=3)), ValueError, "model"),
    (of_architecture(norm_op="os.system"), ValueError, "names the layer os.system, which cannot be built"),
    (of_architecture(nonlin="torch.nn.Module"), ValueError, "names the layer torch.nn.Module"),
    (of_architecture(strides=[[1, 1]]), ValueError, "lists of different lengths"),
    (of_architecture(squeeze_excitation=True), ValueError, "a PlainConvUNet with squeeze_excitation cannot be built"),
    (of_architecture(features_per_stage=[2, 4, 8]), ValueError, r"weights of another network, \d+ tensors"),
    (
        lambda folder: change(folder / "dataset.json", lambda d: d["labels"].update(whole=[1, 2])),
        ValueError,
        "its labels are regions that overlap",
    ),
    (lambda folder: rewrite(folder, lambda c: c.pop("network_weights")), ValueError, "no network_weights in it"),
    (
        lambda folder: rewrite(folder, lambda c: c.update(network_weights={"a": 1})),
        ValueError,
        "no network_weights in it",
    ),
]


@pytest.mark.parametrize(("spoil", "kind", "message"), FAULTS)
def test_what_is_refused(nnunet_model, tmp_path, spoil, kind, message):
    folder = tmp_path / "model__used"
    nnunet_model(folder)
    spoil(folder)
    with pytest.raises(kind, match=message) as caught:
        read_nnunet(folder)
    assert str(caught.value).count("\n") == 0


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def test_code_in_a_checkpoint_is_not_executed(nnunet_model, tmp_path):
    nnunet_model(tmp_path / "model")
    file = tmp_path / "model/fold_0/checkpoint_final.pth"
    content = torch.load(file, weights_only=False)
    for save in (torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))):
        save({**content, "logging": Bomb()}, file)
        with pytest.raises(ValueError, match="checkpoint_final.pth: not a readable file of weights"):
            read_nnunet(tmp_path / "model")


def test_numbers_of_the_older_numpy_are_read(nnunet_model, tmp_path):
    """NumPy 1 called the module numpy.core: the names in such a checkpoint are those."""
    nnunet_model(tmp_path / "model")
    file = tmp_path / "model/fold_0/checkpoint_final.pth"
    content = torch.load(file, weights_only=False)
    torch.save(content, file, _use_new_zipfile_serialization=False)
    old = file.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"numpy.core.multiarray" in old
    file.write_bytes(old)
    assert read_nnunet(tmp_path / "model").network.in_channels == 1
