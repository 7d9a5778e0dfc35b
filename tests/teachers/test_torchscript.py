"""TorchScript files: scripted, traced and frozen networks, and broken files."""

import json

import pytest
import torch

from medkd.networks import FeatureTaps, default_taps, input_spec
from medkd.teachers import frozen, load_teacher, teacher_kind

from .builders import WINDOW, make_monai_unet, make_task_teacher, to_hu


@pytest.mark.parametrize("save", ["script", "trace", "freeze"])
def test_a_torchscript_file(tmp_path, save):
    network = make_monai_unet()
    scripted = {
        "script": lambda: torch.jit.script(network),
        "trace": lambda: torch.jit.trace(network, torch.zeros(1, 1, 32, 32)),
        "freeze": lambda: torch.jit.freeze(torch.jit.script(network)),
    }[save]()
    scripted.save(str(tmp_path / "teacher.ts"))
    assert teacher_kind(tmp_path / "teacher.ts") == "torchscript"
    teacher = load_teacher(tmp_path / "teacher.ts", make_task_teacher(), 2, WINDOW, [-100, 200, 0, 1])
    taps = frozen(FeatureTaps(teacher, **default_taps(teacher)))
    image = torch.rand(2, 1, 32, 48) * 2 - 1
    torch.testing.assert_close(taps(image).logits, network((to_hu(image).clamp(-100, 200) + 100) / 300))
    assert taps.shapes.logits.shape == (1, 2, 32, 32) and input_spec(teacher) == (2, 1)
    assert not any(p.requires_grad for p in taps.parameters()) and not any(m.training for m in taps.modules())


SPEC = {
    "kind": "slices",
    "intensities": [-100, 200],
    "clip": True,
    "per_case": None,
    "orientation": "IPL",
    "spacing": None,
}


def describe(path, **changes):
    network = make_monai_unet()
    text = json.dumps({**SPEC, **changes})
    torch.jit.save(torch.jit.script(network), str(path), _extra_files={"medkd.json": text})
    return network


def test_an_export_of_medkd_states_its_intensities(tmp_path, capsys):
    network, image = describe(tmp_path / "student.ts"), torch.rand(1, 1, 32, 32) * 2 - 1
    teacher = load_teacher(tmp_path / "student.ts", make_task_teacher(), 2, WINDOW).eval()
    scaled = (to_hu(image).clamp(-100, 200) + 100) / 150 - 1
    torch.testing.assert_close(teacher(image), network(scaled), rtol=1e-4, atol=1e-4)
    assert capsys.readouterr().out == ""


def test_an_export_of_other_units_is_refused(tmp_path):
    describe(tmp_path / "student.ts", per_case=True)
    with pytest.raises(ValueError, match="^--teacher TorchScript file .*applies to percentiles of each case, found HU"):
        load_teacher(tmp_path / "student.ts", make_task_teacher(), 2, WINDOW)


@pytest.mark.parametrize("changes", [{"intensities": "wide"}, {"kind": "pictures"}])
def test_a_description_that_does_not_suit_leaves_a_note(tmp_path, capsys, changes):
    network, image = describe(tmp_path / "student.ts", **changes), torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(
        load_teacher(tmp_path / "student.ts", make_task_teacher(), 2, WINDOW)(image), network(image)
    )
    assert "images are passed on unscaled" in capsys.readouterr().out
