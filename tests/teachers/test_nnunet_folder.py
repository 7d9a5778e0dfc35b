"""Model folders of nnU-Net: folds and checkpoints, configurations, what is refused."""

import pickle
import shutil

import pytest
import torch

from medkd.networks import UNet
from medkd.teachers import NNUNet, teacher_kind
from medkd.teachers.nnunet_folder import nnunet_folder, read_nnunet
from medkd.teachers.scalings import Linear

from .nnunet_builders import edit_checkpoint, edit_json


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_folder_a_fold_and_a_checkpoint(nnunet_model, tmp_path, dims, residual):
    folder = tmp_path / "nnUNetTrainer__nnUNetPlans__used"
    network = nnunet_model(folder, dims=dims, residual=residual)
    image = torch.rand(1, 1, *[16] * dims)
    for path in (folder, folder / "fold_0", folder / "fold_0/checkpoint_final.pth"):
        model = read_nnunet(path)
        assert torch.equal(model.network.eval()(image), network(image))
        assert model.source == f"nnU-Net {folder / 'fold_0/checkpoint_final.pth'}"
    assert model.scalings == [Linear(1 / 60, -90 / 60, -70.0, 280.0)]


def test_which_of_several_folds_is_taken_is_told(nnunet_model, tmp_path, capsys):
    folder = tmp_path / "nnUNetTrainer__nnUNetPlans__used"
    nnunet_model(folder)
    read_nnunet(folder)
    assert "folds" not in capsys.readouterr().out
    shutil.copytree(folder / "fold_0", folder / "fold_1")
    (folder / "fold_2").mkdir()  # its training has not ended
    assert read_nnunet(folder).source == f"nnU-Net {folder / 'fold_0/checkpoint_final.pth'}"
    assert capsys.readouterr().out == (
        f"note: {folder}: found 2 folds, fold_0 is the teacher; their average is that of all: "
        f"--teacher {folder / 'fold_0'} {folder / 'fold_1'}\n"
    )
    read_nnunet(folder / "fold_1")
    assert not capsys.readouterr().out


def test_a_medkd_run_inside_a_model_folder_is_a_medkd_run(nnunet_model, tmp_path):
    nnunet_model(tmp_path / "model")
    for folder in (tmp_path / "model/student", tmp_path / "model/fold_0/student"):
        folder.mkdir()
        torch.save(UNet(2, 1, 2, width=2).state_dict(), folder / "model.pt")
        for path in (folder, folder / "model.pt"):
            assert nnunet_folder(path) is None and teacher_kind(path) == "weights"


def test_the_configuration_comes_from_the_checkpoint_or_the_folder(nnunet_model, tmp_path):
    folder = tmp_path / "nnUNetTrainer__nnUNetPlans__used"
    nnunet_model(folder)
    edit_json(folder / "plans.json", lambda plans: plans["configurations"].update(more={"inherits_from": "used"}))
    edit_checkpoint(folder, lambda content: content["init_args"].update(configuration="more"))
    assert isinstance(read_nnunet(folder).network, NNUNet)
    edit_checkpoint(folder, lambda content: content.pop("init_args"))
    assert isinstance(read_nnunet(folder).network, NNUNet)


def of_architecture(**values):
    def edit(plans):
        plans["configurations"]["used"]["architecture"]["arch_kwargs"].update(values)

    return lambda folder: edit_json(folder / "plans.json", edit)


def of_plans(edit):
    return lambda folder: edit_json(folder / "plans.json", edit)


FAULTS = [
    (lambda folder: (folder / "dataset.json").unlink(), FileNotFoundError, "dataset.json: no such file"),
    (lambda folder: (folder / "fold_0/checkpoint_final.pth").unlink(), FileNotFoundError, "no checkpoint_final.pth or"),
    (lambda folder: (folder / "plans.json").write_text("{"), ValueError, "plans.json: not a JSON file"),
    (lambda folder: (folder / "plans.json").write_text("[]"), ValueError, "plans.json: found list"),
    (of_plans(lambda p: p.pop("configurations")), ValueError, "without 'configurations'"),
    (
        of_plans(lambda p: p["configurations"]["used"].pop("normalization_schemes")),
        ValueError,
        "without 'normalization_sch",
    ),
    (of_plans(lambda p: p["configurations"]["used"].pop("architecture")), ValueError, "without 'UNet_class_name'"),
    (
        of_plans(lambda p: p.update(configurations={"other": {}})),
        ValueError,
        "configuration: found 'used', expected one of plans.json: other",
    ),
    (
        of_plans(lambda p: p["configurations"]["used"].update(inherits_from="used")),
        ValueError,
        "found inherits_from used",
    ),
    (of_plans(lambda p: p["configurations"]["used"].update(previous_stage="x")), ValueError, "a cascade"),
    (of_plans(lambda p: p["configurations"]["used"].update(architecture=3)), ValueError, "model"),
    (of_architecture(norm_op="os.system"), ValueError, "found the layer os.system, which cannot be built"),
    (of_architecture(nonlin="torch.nn.Module"), ValueError, "found the layer torch.nn.Module"),
    (of_architecture(strides=[[1, 1]]), ValueError, "found lists of lengths"),
    (of_architecture(squeeze_excitation=True), ValueError, "a PlainConvUNet with squeeze_excitation cannot be built"),
    (of_architecture(features_per_stage=[2, 4, 8]), ValueError, r"weights of another network .*, \d+ tensors"),
    (
        lambda folder: edit_json(folder / "dataset.json", lambda d: d["labels"].update(whole=[1, 2])),
        ValueError,
        "its labels are regions that overlap",
    ),
    (
        lambda folder: edit_checkpoint(folder, lambda c: c.pop("network_weights")),
        ValueError,
        "no network_weights in it",
    ),
    (
        lambda folder: edit_checkpoint(folder, lambda c: c.update(network_weights={"a": 1})),
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
