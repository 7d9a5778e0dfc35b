"""What a wheel carries, read from setup.cfg: a sub-package that is not listed is missing there alone."""

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_of_the_tree_is_listed():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "medkd").rglob("__init__.py")}
    assert found | {"medkd.data_prep", "medkd.bundles"} == listed


def test_the_readme_has_one_command_to_run_and_one_to_test():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert sum(line.startswith("pip install") and line.endswith("medkd demo") for line in lines) == 1
    assert sum(line.startswith("pip install") and "pytest" in line for line in lines) == 1
