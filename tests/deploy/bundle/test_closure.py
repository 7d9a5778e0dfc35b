"""Which code is copied, and how: read from the sources."""

import ast
import subprocess
import sys

import pytest

from medkd.deploy.bundle.closure import Closure
from medkd.deploy.bundle.references import (
    check_expressions,
    foreign_imports,
    reachable,
    rewrite_targets,
    target_names,
)
from medkd.deploy.bundle.scripts import copied_sources, required_packages, write_scripts


def closure(*names):
    found = Closure()
    for name in names:
        found.add(*name.rsplit(".", 1))
    return found


def test_a_name_is_followed_to_its_module_and_no_further():
    found = closure("medkd.networks.UNet")
    assert found.modules == {"medkd.networks.unet", "medkd.networks._blocks"}
    assert found.exports == {"medkd.networks": {"UNet": "medkd.networks.unet"}}
    assert "torch" in found.others


def test_imports_of_imports_are_followed():
    found = closure("medkd.inferers.infer_each", "medkd.cli.check_command")
    assert {
        "medkd.inferers.case_by_case",
        "medkd.runs.errors",
        "medkd.cli.checks",
        "medkd.runs.folder",
    } <= found.modules
    assert not any("trainer" in module or "losses" in module for module in found.modules)


def test_a_package_with_the_definition_in_its_init_is_copied_with_it():
    assert "medkd.methods" in closure("medkd.methods.__getattr__").modules


def test_an_unknown_name_is_told():
    with pytest.raises(ValueError, match="medkd.networks has no 'UNetX'"):
        closure("medkd.networks.UNetX")


def test_the_copy_works_alone_under_its_own_name(tmp_path):
    found = closure(
        "medkd.networks.UNet", "medkd.networks.load_weights", "medkd.cli.check_command", "medkd.methods.build"
    )
    name, texts = copied_sources(found, "kits19")
    write_scripts(tmp_path / name, texts)
    code = f"import sys; sys.modules['medkd'] = None; sys.path.insert(0, {str(tmp_path)!r}); "
    code += f"from {name} import cli, methods, networks; "
    code += "print(networks.UNet.__module__, callable(cli.check_command), callable(methods.build))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == [f"{name}.networks.unet", "True", "True"], done.stderr
    for text in texts.values():
        assert "Apache-2.0" in text.splitlines()[0]
        ast.parse(text)


def test_the_name_follows_from_the_code():
    name, texts = copied_sources(closure("medkd.networks.UNet"), "a")
    assert (name, texts) == copied_sources(closure("medkd.networks.UNet"), "a")
    assert name != copied_sources(closure("medkd.networks.ResNetFCN"), "a")[0]
    assert not any("medkd." in line for text in texts.values() for line in text.splitlines() if "import" in line[:40])


def test_packages_that_the_code_needs():
    found = required_packages(closure("medkd.io.find_images"))
    assert "nibabel" in found and "pytorch-ignite" in found
    assert not {"torch", "monai", "numpy"} & set(found)


CONFIG = {
    "imports": ["$import torch", "$import medkd.io as io", "$from functools import partial"],
    "source": "$io.find_images(@data::folder, io.VOLUMES) if @data::n else 'data.x'",
    "network_def": {"_target_": "medkd.networks.UNet", "width": "@width"},
    "text": "io.find_images",
    "width": 4,
    "data": {"folder": ".", "n": "@rows"},
    "rows": [{"a": "$torch.ones(@width)"}],
    "unused": "@source",
}


def test_names_of_code_in_a_configuration():
    assert foreign_imports(CONFIG) == ["$import torch", "$from functools import partial"]
    assert target_names(CONFIG) == {("medkd.networks", "UNet")}


def test_targets_are_rewritten_and_nothing_else():
    rewritten = rewrite_targets(CONFIG, "own")
    assert rewritten.pop("network_def") == {
        "_target_": "own.networks.UNet",
        "width": "@width",
        "_requires_": "@scripts",
    }
    assert rewritten == {name: value for name, value in CONFIG.items() if name != "network_def"}


def test_an_expression_with_code_is_refused():
    with pytest.raises(ValueError, match=r"source: found .\$io.find_images.*expected `_target_: medkd.io"):
        check_expressions(CONFIG)
    check_expressions({**CONFIG, "source": "$'io.x' + @io.y + radio.z"})


def test_what_an_id_needs():
    assert reachable(CONFIG, "source") == {"source", "data", "rows", "width"}
