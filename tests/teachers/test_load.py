"""Loading teachers: medkd runs, what is refused, options of several, and methods that suit external teachers."""

import pickle

import pytest
import torch

from medkd import methods
from medkd.correction import TeacherTeam
from medkd.losses import FocalDiceLoss
from medkd.networks import FeatureTaps, UNet
from medkd.plckd import teacher_team
from medkd.teachers import SingleTeacher, load_teacher
from medkd.teachers.cache_files import fingerprint as fingerprint_of

from .builders import WINDOW, make_bundle, make_monai_unet, make_task_teacher, save_script


def test_a_medkd_run_is_loaded_into_the_network(tmp_path):
    torch.save(make_task_teacher().state_dict(), tmp_path / "model.pt")
    definition = make_task_teacher()
    assert load_teacher(tmp_path, definition, 2) is definition
    with pytest.raises(ValueError, match="--teacher_classes: found .*, a medkd run, expected an external"):
        load_teacher(tmp_path, definition, 2, classes=[0, 1])


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def make_broken(folder, name):
    """Paths that hold no teacher."""
    if name == "nowhere":
        return folder / "nowhere"
    if name == "3-D":
        return save_script(folder / "t.ts", make_monai_unet(3))
    if name == "cut":
        file = save_script(folder / "t.ts", make_monai_unet())
        file.write_bytes(file.read_bytes()[:-2000])
        return file
    root = make_bundle(folder / "b", make_monai_unet())
    if name == "no weights":
        (root / "models/model.pt").unlink()
    elif name == "bomb":
        (root / "models/model.pt").write_bytes(pickle.dumps({"model": Bomb()}))
    elif name == "other weights":
        torch.save(make_task_teacher().state_dict(), root / "models/model.pt")
    else:
        config = {"no network_def": "{}", "no network": '{"network_def": 3}', "no config": "[1,", "bad": None}[name]
        bad = '{"network_def": {"_target_": "UNet", "spatial": 2}}'
        (root / "configs/inference.json").write_text(config or bad)
    return root


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("nowhere", FileNotFoundError, "teacher .*nowhere: no such file, expected the model.pt of a finished"),
        ("3-D", ValueError, "t.ts: found a 3-D network, expected 2-D as the task's images"),
        ("cut", ValueError, "t.ts: not a readable"),
        ("no weights", FileNotFoundError, "teacher .*models/model.pt: no such file"),
        ("bomb", ValueError, "models/model.pt: not a readable file of weights"),
        ("other weights", ValueError, r"models/model.pt: weights of another network, \d+ tensors do not fit UNet"),
        ("no network_def", ValueError, "inference.json: no network_def in it"),
        ("no network", ValueError, "network_def: found int, expected a network"),
        ("no config", ValueError, "inference.json: not a readable configuration"),
        ("bad", ValueError, "inference.json: network_def cannot be built: .*spatial"),
    ],
)
def test_paths_without_a_teacher_are_refused(tmp_path, name, kind, message):
    with pytest.raises(kind, match=message) as caught:
        load_teacher(make_broken(tmp_path, name), make_task_teacher(), 2)
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
def test_options_of_several_are_checked(tmp_path, intensity, classes, message):
    paths = [save_script(tmp_path / f"{i}.ts", make_monai_unet()) for i in range(2)]
    with pytest.raises(ValueError, match=message):
        load_teacher(paths, make_task_teacher(), 2, WINDOW, intensity, classes)


@pytest.fixture
def logits_alone(tmp_path):
    return FeatureTaps(load_teacher(save_script(tmp_path / "t.ts", make_monai_unet()), make_task_teacher(), 2))


def test_methods_that_read_maps_refuse_logits_alone(logits_alone):
    student = make_task_teacher()
    taps = FeatureTaps(student, **student.default_taps())
    reading = {"kd", "dkd", "cwd", "swap", "none", "plckd", "dice_kd", "dist", "pseudo", "recommended"}
    for name in methods.names():
        if name in reading:
            methods.build(name, FocalDiceLoss(), taps, logits_alone)
            continue
        with pytest.raises(
            ValueError, match=f"method {name} reads .* of the teacher .TorchScript file .*t.ts. there are"
        ):
            methods.build(name, FocalDiceLoss(), taps, logits_alone)


def test_plckd_without_similarity_needs_no_map(logits_alone, tmp_path):
    torch.save(make_task_teacher().state_dict(), tmp_path / "a.pt")
    paths = (tmp_path / "a.pt", tmp_path / "a.pt")
    with pytest.raises(ValueError, match="method plckd: similarity reads the penultimate map .*similarity False"):
        teacher_team("plckd", {}, logits_alone, *paths, make_task_teacher())
    team = teacher_team("plckd", {"similarity": False}, logits_alone, *paths, make_task_teacher())
    assert isinstance(team, TeacherTeam) and isinstance(team.boundary, UNet) and team.boundary is not team.false_pixel
    assert team(torch.rand(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)).logits.shape == (1, 2, 32, 32)


def test_cached_soft_labels_tell_external_teachers_apart(tmp_path):
    network = make_monai_unet()
    (tmp_path / "moved").mkdir()
    first, moved = (save_script(path, network) for path in (tmp_path / "t.ts", tmp_path / "moved/t.ts"))
    image = [-100, 200, 0, 1]

    def fingerprint(path, *mapping):
        teacher = load_teacher(path, make_task_teacher(), 2, WINDOW, *mapping)
        return fingerprint_of(SingleTeacher(FeatureTaps(teacher)), 16)

    result = [fingerprint(first), fingerprint(first, image), fingerprint(first, image, [1, 0])]
    result += [fingerprint([first, moved]), fingerprint(save_script(tmp_path / "u.ts", make_monai_unet()))]
    torch.jit.freeze(torch.jit.script(network)).save(str(tmp_path / "f.ts"))
    result.append(fingerprint(tmp_path / "f.ts"))
    assert len(set(result)) == len(result)
    assert fingerprint(first) == fingerprint(first)
