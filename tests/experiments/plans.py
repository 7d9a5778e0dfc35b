"""Plans and bundles that the tests of experiments share."""

from pathlib import Path

import yaml

from medkd.cli.verbs.experiment import installed_bundles
from medkd.experiments import Plan, check_plan, load_plan, plan_file

BUNDLES = installed_bundles()
DATA = {name: f"/data/{name}" for name in ("kits19", "lits", "isic2018", "cvc_endoscene", "idrid", "nifti")}
PLAN = {"title": "t", "metrics": ["dice"], "seeds": [0], "tasks": {"kits19": {}}, "rows": {"kd": {"method": "kd"}}}


def write_plan(folder: Path, content: dict) -> Path:
    """Write a plan to ``own.yaml``."""
    file = folder / "own.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def check_file(file: Path) -> None:
    """Load and check a plan."""
    check_plan(load_plan(file), str(file), BUNDLES)


def load(name: str) -> dict:
    """Load a plan that comes with medkd."""
    return load_plan(plan_file(name, BUNDLES))


def make_plan(name: str, folder: Path, **changes: object) -> Plan:
    """Plan an experiment that comes with medkd, with other sections."""
    return Plan({**load(name), **changes}, DATA, folder)
