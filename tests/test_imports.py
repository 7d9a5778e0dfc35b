"""The direction of imports between packages, read from the sources."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOR_ALL = {"startup"}  # a module beside the packages, which imports none of them
# What each package may import, besides itself. "runs.errors" allows that module of `runs` alone.
ALLOWED = {
    "configs": {"runs.errors"},
    "runs": {"configs", "networks", "parallel"},
    "parallel": {"runs.errors", "runs.signals"},
    "io": {"runs.files", "runs.predicted", "runs.errors", "runs.case_names", "runs.escapes"},
    "phantoms": {"io"},
    "data": {"configs", "io", "parallel", "runs.errors", "runs.files", "runs.case_names"},
    "networks": {"runs.checksums", "runs.errors", "runs.file_kind", "runs.folder"},
    "metrics": {"io.components"},
    "losses": {"networks", "parallel", "runs.errors"},
    "methods": {"configs", "losses", "networks", "runs.errors"},
    "correction": {"losses", "networks", "parallel"},
    "teachers": {"correction", "data", "inferers", "io", "networks", "parallel", "runs"},
    "plckd": {"correction", "methods", "networks", "parallel", "runs", "teachers"},
    "engines": {"losses", "networks", "parallel", "teachers"},
    "inferers": {
        "io.geometry",
        "io.label_format",
        "io.notes",
        "io.volume_table",
        "parallel",
        "runs.errors",
        "runs.predicted",
    },
    "handlers": {"configs", "io.geometry", "losses", "metrics", "parallel", "runs"},
    "visuals": {"correction", "io", "losses", "networks", "parallel", "runs", "teachers"},
    "reports": {"configs", "io", "metrics", "networks", "runs", "visuals"},
    "experiments": {"configs", "methods", "reports", "runs"},
    "deploy": {"cli", "configs", "data", "inferers", "io", "networks", "runs"},
    "cli": None,  # all
}


def imported(path: Path) -> set[str]:
    """Modules of medkd that a file imports, as "package.module"; names of a package count as its modules."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            # from ..losses import x, in medkd/engines/a.py, is medkd.losses
            package = ["medkd", *path.relative_to(ROOT / "medkd").parts[:-1]] if "medkd" in path.parts else []
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        found |= {".".join(name.split(".")[1:3]) for name in names if name.startswith("medkd.")}
    return found


def is_allowed(module: str, allowed: set[str]) -> bool:
    return module in allowed or module.split(".")[0] in allowed


MODULES = sorted(path for path in (ROOT / "medkd").rglob("*.py") if len(path.relative_to(ROOT / "medkd").parts) > 1)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_medkd_imports_run_one_way(path):
    package = path.relative_to(ROOT / "medkd").parts[0]
    allowed = ALLOWED[package]
    if allowed is not None:
        others = {module for module in imported(path) if module.split(".")[0] not in {package, *FOR_ALL}}
        assert {module for module in others if not is_allowed(module, allowed)} == set()


def test_every_package_has_a_row():
    assert {path.parent.name for path in (ROOT / "medkd").glob("*/__init__.py")} == set(ALLOWED)


@pytest.mark.parametrize("path", sorted((ROOT / "data_prep").glob("*.py")), ids=lambda p: p.name)
def test_data_prep_imports_data_and_what_data_imports(path):
    assert {module.split(".")[0] for module in imported(path)} <= {"data", "io", "data_prep", "parallel", "runs"}


def test_what_all_import_imports_no_package():
    assert not any(imported(ROOT / "medkd" / f"{name}.py") for name in FOR_ALL)
