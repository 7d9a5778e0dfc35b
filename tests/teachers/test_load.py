"""Teachers from elsewhere: each kind of file, their classes, intensities and sizes, ensembles, and what is refused."""

import copy
import json
import pickle
import sys
from types import ModuleType

import pytest
import torch
from monai.networks.nets import UNet as MonaiUNet

from medkd import methods
from medkd.correction import TeacherTeam
from medkd.engines import frozen
from medkd.losses import FocalDiceLoss
from medkd.networks import FeatureTaps, UNet, default_taps, input_spec
from medkd.plckd import teacher_team
from medkd.teachers import load_teacher, teacher_kind
from medkd.teachers.cached import _fingerprint

WINDOW = (-200, 300)


def task_teacher(dims=2, classes=2):
    return UNet(dims, 1, classes, width=2)


def monai_unet(dims=2, classes=2):
    return MonaiUNet(dims, 1, classes, (4, 8, 16), (2, 2)).eval()


def script(path, network):
    torch.jit.script(network).save(str(path))
    return path


def bundle(folder, network, dims=2, classes=2, name="inference.json", transforms=(), **config):
    """A MONAI bundle of a UNet."""
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    definition = {"_target_": "UNet", "spatial_dims": dims, "in_channels": 1, "out_channels": "@classes"}
    definition |= {"channels": [4, 8, 16], "strides": [2, 2]}
    # what nothing but the network reads must not be resolved
    content = {"imports": ["$import os"], "classes": classes, "network_def": definition, "dataset": "$1 / 0"}
    content["preprocessing"] = {"_target_": "Compose", "transforms": list(transforms)}
    (folder / "configs" / name).write_text(json.dumps({**content, **config}))
    torch.save(network.state_dict(), folder / "models/model.pt")
    return folder


RANGE = {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": "@low", "a_max": 200, "b_min": 0, "b_max": 1}


NORMALIZE = {"_target_": "NormalizeIntensityd", "keys": "image"}


def in_hu(image):
    return (image + 1) * 250 - 200


@pytest.mark.parametrize("save", ["script", "trace", "freeze"])
def test_a_torchscript_file(tmp_path, save):
    network = monai_unet()
    scripted = {
        "script": lambda: torch.jit.script(network),
        "trace": lambda: torch.jit.trace(network, torch.zeros(1, 1, 32, 32)),
        "freeze": lambda: torch.jit.freeze(torch.jit.script(network)),
    }[save]()
    scripted.save(str(tmp_path / "teacher.ts"))
    assert teacher_kind(tmp_path / "teacher.ts") == "torchscript"
    teacher = load_teacher(tmp_path / "teacher.ts", task_teacher(), 2, WINDOW, [-100, 200, 0, 1])
    taps = frozen(FeatureTaps(teacher, **default_taps(teacher)))
    image = torch.rand(2, 1, 32, 48) * 2 - 1
    torch.testing.assert_close(taps(image).logits, network((in_hu(image).clamp(-100, 200) + 100) / 300))
    assert taps.shapes.logits.shape == (1, 2, 32, 32) and input_spec(teacher) == (2, 1)
    assert not any(p.requires_grad for p in taps.parameters()) and not any(m.training for m in taps.modules())


def test_a_bundle_scales_as_its_preprocessing_does(tmp_path, capsys):
    network = monai_unet()
    folder = bundle(
        tmp_path / "b", network, transforms=[{"_target_": "EnsureTyped"}, {**RANGE, "clip": True}], low=-100
    )
    assert teacher_kind(folder) == "bundle"
    teacher = load_teacher(folder, task_teacher(), 2, WINDOW)
    image = torch.rand(2, 1, 32, 48) * 2 - 1
    torch.testing.assert_close(teacher(image), network((in_hu(image).clamp(-100, 200) + 100) / 300))
    assert "note" not in capsys.readouterr().out


def test_what_leaves_the_scale_alone(tmp_path, capsys):
    others = [{**RANGE, "_disabled_": True}, {"_target_": "Compose", "transforms": [NORMALIZE], "_disabled_": "True"}]
    others += [{**NORMALIZE, "keys": ["label"]}, {"_target_": "monai.transforms.RandScaleIntensityd", "keys": "image"}]
    folder = bundle(tmp_path / "b", monai_unet(), transforms=[*others, {**RANGE, "a_min": -100}])
    assert load_teacher(folder, task_teacher(), 2, WINDOW).intensity is not None
    assert "note" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "transforms",
    [
        (),
        (RANGE, RANGE),
        (RANGE, NORMALIZE),
        ({"_target_": "LambdaD", "keys": ["image", "label"], "func": "$lambda x: -x"}, RANGE),
        ({**RANGE, "_disabled_": True},),
        ({**RANGE, "_disabled_": "$1 == 1"},),
        ({**RANGE, "a_min": "$os.getpid()"},),
    ],
)
def test_an_unknown_scale_is_passed_on_with_a_note(tmp_path, capsys, transforms):
    network = monai_unet()
    teacher = load_teacher(bundle(tmp_path / "b", network, transforms=transforms, low=-100), task_teacher(), 2, WINDOW)
    image = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(teacher(image), network(image))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("note: how the images of MONAI bundle") and "(--teacher_intensity)" in line


def test_hu_are_of_no_use_where_cases_have_scales_of_their_own(nnunet_model, tmp_path, capsys):
    network = nnunet_model(tmp_path / "model")
    image = torch.rand(1, 1, 16, 16) * 2 - 1
    teacher = load_teacher(tmp_path / "model", task_teacher(), 2, (0, 1000), per_case=True)
    torch.testing.assert_close(teacher(image), network(image))
    assert "were scaled says nothing of ours, which have no HU: it sees ours as" in capsys.readouterr().out
    teacher = load_teacher(tmp_path / "model", task_teacher(), 2, (0, 1000), [0, 1000, 0, 1], per_case=True)
    torch.testing.assert_close(teacher(image), network((image + 1) / 2))
    nnunet_model(tmp_path / "z", scheme="ZScoreNormalization")
    assert load_teacher(tmp_path / "z", task_teacher(), 2, (0, 1000), per_case=True).intensity is not None
    assert "note" not in capsys.readouterr().out


def test_a_bundle_of_training_whose_checkpoint_holds_more(tmp_path):
    network = monai_unet(3)
    folder = bundle(tmp_path / "b", network, 3, name="train.yaml")
    torch.save({"model": network.state_dict(), "epoch": 3}, folder / "models/model.pt")
    image = torch.rand(1, 1, 16, 16, 16)
    torch.testing.assert_close(load_teacher(folder, task_teacher(3), 2)(image), network(image))


def turned(image):
    """From axes I, P, L to R, A, S, by hand: all of them the other way about."""
    return image.flip((2, 3, 4)).transpose(2, 4)


@pytest.mark.parametrize(
    ("transforms", "is_known"),
    [
        ([{"_target_": "Orientationd", "keys": "image", "axcodes": "@axes"}], True),
        ([{"_target_": "OrientationD", "keys": "image", "as_closest_canonical": True}], True),
        ([{"_target_": "Orientationd", "axcodes": "RAX"}], False),
        ([{"_target_": "Orientationd", "axcodes": "RAS", "_disabled_": True}], False),
        ([{"_target_": "Orientationd", "axcodes": "RAS"}, {"_target_": "Transposed", "indices": [0, 3, 2, 1]}], False),
        ([], False),
    ],
)
def test_a_bundle_sees_the_axes_that_it_knows(tmp_path, capsys, transforms, is_known):
    network = monai_unet(3)
    folder = bundle(tmp_path / "b", network, 3, transforms=transforms, axes="RAS")
    teacher = load_teacher(folder, task_teacher(3), 2)
    image = torch.rand(1, 1, 4, 8, 16)
    wanted = turned(network(turned(image))) if is_known else network(image)
    torch.testing.assert_close(teacher(image), wanted)
    assert ("point to is not known: it sees I, P, L" in capsys.readouterr().out) is not is_known
    tapped = FeatureTaps(teacher, encoder=["network.model.0"])(image).encoder[0]
    own = FeatureTaps(network, encoder=["model.0"])(turned(image) if is_known else image).encoder[0]
    torch.testing.assert_close(tapped, turned(own) if is_known else own)


@pytest.mark.parametrize(
    ("pixdim", "spacing", "is_told"),
    [
        ("@mm", (5, 0.8, 1.5), False),
        ("@mm", (5.9, 0.8, 1.5), False),
        ([1.5, 0.8, 5], (1.5, 0.8, 5), True),
        ([1.5, 0.8, 5], None, False),
        ([1.5, 0.8, -1], (99, 0.8, 1.5), False),
        ("$[1] * 3", (5, 5, 5), False),
        (1, (1, 1, 1.3), True),
    ],
)
def test_another_spacing_is_told(tmp_path, capsys, pixdim, spacing, is_told):
    transforms = [{"_target_": "Orientationd", "axcodes": "RAS"}, {"_target_": "Spacingd", "pixdim": pixdim}]
    folder = bundle(tmp_path / "b", monai_unet(3), 3, transforms=transforms, mm=[1.5, 0.8, 5])
    load_teacher(folder, task_teacher(3), 2, spacing=spacing)
    assert (f"this task has {list(spacing or ())} (--spacing)" in capsys.readouterr().out) is is_told


@pytest.mark.parametrize(
    ("plans", "note"),
    [
        ({}, "is not known: it sees I, P, L"),
        ({"transpose_forward": [2, 0, 1]}, "is not known: it sees L, I, P"),
        ({"transpose_forward": [2, 0, 1], "image_reader_writer": "NibabelIOWithReorient"}, None),
    ],
)
def test_axes_and_spacing_of_an_nnunet(nnunet_model, tmp_path, capsys, plans, note):
    network, file = nnunet_model(tmp_path / "model", dims=3), tmp_path / "model/plans.json"
    content = {**json.loads(file.read_text()), **plans}
    content["configurations"]["model"]["spacing"] = [1, 2, 3]
    file.write_text(json.dumps(content))
    image = torch.rand(1, 1, 6, 8, 16) * 2 - 1  # 6 is padded, along the network's own axes
    theirs = (2, 3, 1) if "transpose_forward" in plans else (1, 2, 3)
    teacher = load_teacher(tmp_path / "model", task_teacher(3), 2, WINDOW, spacing=theirs)
    out = capsys.readouterr().out
    assert "at a spacing" not in out and (note in out if note else "note" not in out)
    x = (in_hu(image).clamp(-70, 280) - 90) / 60
    x = x if note else x.flip((2, 3, 4))
    x = x.permute(0, 1, 4, 2, 3) if "transpose_forward" in plans else x
    axis = 3 if "transpose_forward" in plans else 2
    y = network(torch.cat([x, *[x.narrow(axis, 5, 1)] * 2], dim=axis)).narrow(axis, 0, 6)
    y = y.permute(0, 1, 3, 4, 2) if "transpose_forward" in plans else y
    torch.testing.assert_close(teacher(image), y if note else y.flip((2, 3, 4)))
    load_teacher(tmp_path / "model", task_teacher(3), 2, WINDOW, spacing=(9, 9, 9))
    assert (
        f"at a spacing of {list(theirs)} mm (slices, rows, columns), this task has [9, 9, 9]" in capsys.readouterr().out
    )


def test_taps_of_a_bundle_are_named_by_the_user(tmp_path):
    teacher = load_teacher(bundle(tmp_path / "b", monai_unet()), task_teacher(), 2)
    assert default_taps(teacher) == {}
    taps = FeatureTaps(teacher, encoder=["network.model.0", "network.model.1.submodule.1.submodule"])
    assert [map_.shape[1] for map_ in taps.shapes.encoder] == [4, 16]


def test_bundles_run_their_own_code(tmp_path, monkeypatch):
    """All of them call it scripts, as another package may that is loaded already."""
    stranger = ModuleType("scripts")
    monkeypatch.setitem(sys.modules, "scripts", stranger)
    paths, network = [tmp_path / "a", tmp_path / "b"], torch.nn.ModuleDict({"c": torch.nn.Conv2d(1, 2, 1)})
    for path, sign in zip(paths, "+-", strict=True):
        bundle(path, network, network_def={"_target_": "scripts.net.Net"})
        (path / "scripts").mkdir()
        (path / "scripts/sign.py").write_text(f"def signed(x): return {sign}x")
        (path / "scripts/net.py").write_text(
            "import torch\nfrom scripts.sign import signed\nclass Net(torch.nn.Module):\n"
            "    def __init__(self):\n        super().__init__()\n        self.c = torch.nn.Conv2d(1, 2, 1)\n"
            "    def forward(self, x):\n        return signed(self.c(x))\n"
        )
    image = torch.rand(1, 1, 8, 8)
    for members in (
        load_teacher(paths, task_teacher(), 2).members,
        load_teacher(paths[::-1], task_teacher(), 2).members[::-1],
    ):
        a, b = (copy.deepcopy(member)(image) for member in members)
        torch.testing.assert_close(a, network["c"](image))
        torch.testing.assert_close(b, -a)
    assert sys.modules["scripts"] is stranger and "scripts.net" not in sys.modules


@pytest.mark.parametrize("dims", [2, 3])
def test_an_nnunet(nnunet_model, tmp_path, dims):
    network = nnunet_model(tmp_path / "model", dims=dims, classes=3)
    teacher = load_teacher(tmp_path / "model", task_teacher(dims), 2, WINDOW, classes=[0, 0, 1])
    image = torch.rand(1, 1, *[16] * dims) * 2 - 1
    theirs = network((in_hu(image).clamp(-70, 280) - 90) / 60)
    both = theirs.softmax(1)
    merged = torch.stack([both[:, 0] + both[:, 1], both[:, 2]], dim=1)
    torch.testing.assert_close(teacher(image).softmax(1), merged)
    taps = FeatureTaps(teacher, **default_taps(teacher))
    assert [map_.shape[1] for map_ in taps.shapes.encoder] == [2, 4, 4] and len(taps.shapes.decoder) == 2


def test_sizes_that_do_not_fit_are_padded_and_cropped(nnunet_model, tmp_path):
    network = nnunet_model(tmp_path / "model")  # edges must be multiples of 4
    teacher = load_teacher(tmp_path / "model", task_teacher(), 2, WINDOW)
    image = torch.rand(1, 1, 17, 22) * 2 - 1
    padded = torch.cat([image, *[image[..., -1:, :]] * 3], dim=2)
    padded = torch.cat([padded, *[padded[..., -1:]] * 2], dim=3)
    assert teacher(image).shape == (1, 2, 17, 22)
    torch.testing.assert_close(teacher(image), network((in_hu(padded).clamp(-70, 280) - 90) / 60)[..., :17, :22])


def test_an_ensemble_is_the_mean_of_probabilities(nnunet_model, tmp_path):
    nnunet_model(tmp_path / "model", classes=3)
    torch.save(task_teacher().state_dict(), tmp_path / "model.pt")
    paths = [script(tmp_path / "t.ts", monai_unet()), tmp_path / "model", tmp_path / "model.pt"]
    intensities, classes = [[-100, 200, 0, 1], None, None], [None, [0, 0, 1], None]
    ensemble = load_teacher(paths, task_teacher(), 2, WINDOW, intensities, classes).eval()
    members = [
        load_teacher(path, task_teacher(), 2, WINDOW, i, k).eval()
        for path, i, k in zip(paths, intensities, classes, strict=True)
    ]
    image = torch.rand(1, 1, 32, 32) * 2 - 1
    mean = sum(member(image).softmax(1) for member in members) / 3
    torch.testing.assert_close(ensemble(image).softmax(1), mean)
    assert default_taps(ensemble) == {} and FeatureTaps(ensemble).channels.logits == 2


def test_one_range_for_several_is_for_those_that_say_nothing(nnunet_model, tmp_path):
    network = nnunet_model(tmp_path / "model")
    paths = [tmp_path / "model", script(tmp_path / "t.ts", monai_unet())]
    first, second = load_teacher(paths, task_teacher(), 2, WINDOW, [-100, 200, 0, 1]).members
    image = torch.rand(1, 1, 16, 16) * 2 - 1
    torch.testing.assert_close(first(image), network((in_hu(image).clamp(-70, 280) - 90) / 60))
    torch.testing.assert_close(second(image), second.network((in_hu(image).clamp(-100, 200) + 100) / 300))


def test_members_of_ours_have_weights_of_their_own(tmp_path):
    paths, image = [tmp_path / "a.pt", tmp_path / "b.pt"], torch.rand(1, 1, 32, 32)
    states = [task_teacher().state_dict() for _ in paths]
    for path, state in zip(paths, states, strict=True):
        torch.save(state, path)
    ensemble = load_teacher(paths, task_teacher(), 2).eval()
    a, b = (member(image) for member in ensemble.members)
    assert not torch.equal(a, b)


def test_ours_is_loaded_as_ever(tmp_path):
    torch.save(task_teacher().state_dict(), tmp_path / "model.pt")
    definition = task_teacher()
    assert load_teacher(tmp_path, definition, 2) is definition
    with pytest.raises(ValueError, match="are for teachers from elsewhere, .* is ours"):
        load_teacher(tmp_path, definition, 2, classes=[0, 1])


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def spoilt(folder, name):
    """Paths that hold no teacher."""
    if name == "nowhere":
        return folder / "nowhere"
    if name == "3-D":
        return script(folder / "t.ts", monai_unet(3))
    if name == "cut":
        file = script(folder / "t.ts", monai_unet())
        file.write_bytes(file.read_bytes()[:-2000])
        return file
    root = bundle(folder / "b", monai_unet())
    if name == "no weights":
        (root / "models/model.pt").unlink()
    elif name == "bomb":
        (root / "models/model.pt").write_bytes(pickle.dumps({"model": Bomb()}))
    elif name == "other weights":
        torch.save(task_teacher().state_dict(), root / "models/model.pt")
    else:
        config = {"no network_def": "{}", "no network": '{"network_def": 3}', "no config": "[1,", "bad": None}[name]
        bad = '{"network_def": {"_target_": "UNet", "spatial": 2}}'
        (root / "configs/inference.json").write_text(config or bad)
    return root


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("nowhere", FileNotFoundError, "teacher .*nowhere: no such file, expected the model.pt of a finished"),
        ("3-D", ValueError, "t.ts is a 3-D network, the task's images are 2-D"),
        ("cut", ValueError, "t.ts: not a readable"),
        ("no weights", FileNotFoundError, "teacher .*models/model.pt: no such file"),
        ("bomb", ValueError, "models/model.pt: not a readable file of weights"),
        ("other weights", ValueError, r"models/model.pt: weights of another network, \d+ tensors do not fit UNet"),
        ("no network_def", ValueError, "inference.json: no network_def in it"),
        ("no network", ValueError, "network_def is int, expected a network"),
        ("no config", ValueError, "inference.json: not a readable configuration"),
        ("bad", ValueError, "inference.json: network_def cannot be built: .*spatial"),
    ],
)
def test_what_is_no_teacher(tmp_path, name, kind, message):
    with pytest.raises(kind, match=message) as caught:
        load_teacher(spoilt(tmp_path, name), task_teacher(), 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("intensity", "classes", "message"),
    [
        ([1, 2, 3], None, r"--teacher_intensity: found \[1, 2, 3\], expected a_min"),
        ([[0, 1, 0, 1]] * 3, None, "--teacher_intensity: found 3 entries, expected one for each of 2 teachers"),
        (None, [[0, 1]], "--teacher_classes: found 1 entries"),
        (None, 3, "--teacher_classes: found 3, expected a list"),
        (["a", 1, 2, 3], None, "--teacher_intensity: found 4 entries"),
    ],
)
def test_options_of_several(tmp_path, intensity, classes, message):
    paths = [script(tmp_path / f"{i}.ts", monai_unet()) for i in range(2)]
    with pytest.raises(ValueError, match=message):
        load_teacher(paths, task_teacher(), 2, WINDOW, intensity, classes)


@pytest.fixture
def logits_alone(tmp_path):
    return FeatureTaps(load_teacher(script(tmp_path / "t.ts", monai_unet()), task_teacher(), 2))


def test_methods_that_read_maps_refuse_it_and_the_others_do_not(logits_alone):
    student = task_teacher()
    taps = FeatureTaps(student, **student.default_taps())
    reading = {"kd", "dkd", "cwd", "swap", "none", "plckd"}
    for name in methods.names():
        if name in reading:
            methods.build(name, FocalDiceLoss(), taps, logits_alone)
            continue
        with pytest.raises(
            ValueError, match=f"method {name} reads .* of the teacher .TorchScript file .*t.ts. there are"
        ):
            methods.build(name, FocalDiceLoss(), taps, logits_alone)


def test_plckd_without_similarity_needs_no_map(logits_alone, tmp_path):
    torch.save(task_teacher().state_dict(), tmp_path / "a.pt")
    paths = (tmp_path / "a.pt", tmp_path / "a.pt")
    with pytest.raises(ValueError, match="method plckd: similarity reads the penultimate map .*similarity False"):
        teacher_team("plckd", {}, logits_alone, *paths, task_teacher())
    team = teacher_team("plckd", {"similarity": False}, logits_alone, *paths, task_teacher())
    assert isinstance(team, TeacherTeam) and isinstance(team.boundary, UNet) and team.boundary is not team.false_pixel
    assert team(torch.rand(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)).logits.shape == (1, 2, 32, 32)


def test_stored_labels_tell_such_teachers_apart(tmp_path):
    network = monai_unet()
    (tmp_path / "moved").mkdir()
    first, moved = (script(path, network) for path in (tmp_path / "t.ts", tmp_path / "moved/t.ts"))
    image = [-100, 200, 0, 1]

    def fingerprint(path, *mapping):
        return _fingerprint(FeatureTaps(load_teacher(path, task_teacher(), 2, WINDOW, *mapping)))

    found = [fingerprint(first), fingerprint(first, image), fingerprint(first, image, [1, 0])]
    found += [fingerprint([first, moved]), fingerprint(script(tmp_path / "u.ts", monai_unet()))]
    torch.jit.freeze(torch.jit.script(network)).save(str(tmp_path / "f.ts"))
    found.append(fingerprint(tmp_path / "f.ts"))
    assert len(set(found)) == len(found)
    assert fingerprint(first) == fingerprint(first)
