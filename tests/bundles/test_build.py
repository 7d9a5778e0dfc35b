"""The committed configurations are those that the templates give."""

import shutil
import sys
from importlib.util import module_from_spec, spec_from_file_location

import jinja2
import pytest
import yaml

from medkd.configs.bundles import BUNDLES

_SPEC = spec_from_file_location("bundles_build", BUNDLES / "build.py")
build = module_from_spec(_SPEC)
sys.modules[_SPEC.name] = build
_SPEC.loader.exec_module(build)


@pytest.fixture
def copy(tmp_path):
    """A copy of the templates and of all tasks."""
    root = tmp_path / "bundles"
    shutil.copytree(BUNDLES, root, ignore=shutil.ignore_patterns("docs", "overlays", "experiments", "models"))
    return root


def test_committed_configurations_are_up_to_date():
    assert build.stale_files() == []
    tasks = {path.parent.name for path in BUNDLES.glob("*/configs")}
    assert {path.parts[-3] for path in build.render_configs()} == {
        path.parts[-3] for path in BUNDLES.glob("*/configs/*")
    }
    assert len(tasks) >= 6


def test_a_changed_or_missing_file_is_stale(copy):
    train, evaluate = copy / "kits19/configs/train.yaml", copy / "lits/configs/evaluate.yaml"
    train.write_text(train.read_text().replace("max_epochs: 120", "max_epochs: 121"))
    evaluate.unlink()
    assert build.stale_files(copy) == [train, evaluate]
    assert build.write_configs(copy) == [train, evaluate]
    assert build.stale_files(copy) == []
    assert train.read_text() == (BUNDLES / "kits19/configs/train.yaml").read_text()


def test_a_changed_value_or_template_makes_files_stale(copy):
    task, template = copy / "idrid/task.yaml", copy / "base/evaluate.yaml.j2"
    task.write_text(task.read_text().replace("optic_disc", "cup"))
    named = {copy / f"idrid/configs/{name}.yaml" for name in ("train", "inference")}  # they have the name of the class
    assert set(build.stale_files(copy)) == named
    template.write_text(template.read_text() + "# more\n")
    assert len(build.stale_files(copy)) == len(named) + len(list(copy.glob("*/task.yaml")))


def test_check_exits_with_1_and_writes_nothing(copy, capsys):
    train = copy / "nifti/configs/train.yaml"
    train.write_text("stale: true\n")
    assert build.main(["--check"], copy) == 1
    assert "bundles/nifti/configs/train.yaml: found a stale file" in capsys.readouterr().err
    assert train.read_text() == "stale: true\n"
    assert build.main([], copy) == 0 and build.main(["--check"], copy) == 0


def test_a_missing_value_is_an_error(copy):
    task = copy / "kits19/task.yaml"
    values = yaml.safe_load(task.read_text())
    del values["organ"]
    task.write_text(yaml.safe_dump(values))
    with pytest.raises(jinja2.UndefinedError, match="organ"):
        build.render_configs(copy)


def test_lines_are_short_and_tasks_have_few_keys():
    files = [*BUNDLES.glob("*/configs/*.yaml"), *BUNDLES.glob("overlays/*.yaml")]
    assert [(path.name, line) for path in files for line in path.read_text().splitlines() if len(line) > 128] == []
    assert max(len(yaml.safe_load(path.read_text())) for path in BUNDLES.glob("*/task.yaml")) <= 12
