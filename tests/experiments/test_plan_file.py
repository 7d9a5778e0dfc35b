"""Where plans are, and how their files are read."""

import subprocess
import sys

import pytest

from medkd.experiments import load_plan, plan_file

from .plans import BUNDLES, PLAN, write_plan


def test_an_unknown_experiment_gets_a_hint():
    with pytest.raises(ValueError, match="unknown experiment 'hlfd-tabel1': did you mean hlfd-table"):
        plan_file("hlfd-tabel1", BUNDLES)
    with pytest.raises(FileNotFoundError, match="experiment none.yaml: no such file"):
        plan_file("none.yaml", BUNDLES)


def test_a_missing_overlay_is_refused(tmp_path):
    file = write_plan(tmp_path, {**PLAN, "tasks": {"kits19": {"overlay": "none.yaml"}}})
    with pytest.raises(ValueError, match="task kits19: overlay .*none.yaml: no such file"):
        load_plan(file)
    (tmp_path / "none.yaml").write_text("a: 1")
    assert load_plan(file)["tasks"]["kits19"]["overlay"] == str(tmp_path / "none.yaml")


@pytest.mark.parametrize(("text", "message"), [("{: broken", "not YAML"), ("- a", "found list, expected names")])
def test_files_that_are_no_plans_are_refused(tmp_path, text, message):
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_plan(tmp_path / "own.yaml")


def test_reading_and_checking_a_plan_imports_neither_torch_nor_monai():
    code = """
import sys
from medkd.cli.verbs.experiment import installed_bundles
from medkd.experiments import check_plan, load_plan, plan_file

bundles = installed_bundles()
check_plan(load_plan(plan_file("plckd-table2", bundles)), "plan", bundles)
print(sorted({"torch", "monai"} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
