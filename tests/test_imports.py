"""Who may import whom, read from the sources."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEAVES = {
    "data",
    "formats",
    "networks",
    "metrics",
    "errors",
    "distributed",
    "records",
    "option_values",
    "termination",
}  # these import nothing else of ours, but for
ALLOWED = {
    **{leaf: set() for leaf in LEAVES},
    "errors": {"termination"},
    "distributed": {"errors", "termination"},
    "data": {"distributed", "formats"},
    "options": {"data", "errors", "records", "option_values", "termination"},
    "losses": {"networks"},
    "correction": {"networks"},
    "methods": {"losses", "networks"},
    "engines": LEAVES | {"options", "losses", "methods", "handlers", "correction"},
    "handlers": LEAVES | {"options", "losses", "methods", "engines", "correction"},
    "visuals": {"data", "formats", "distributed", "networks", "losses", "metrics", "correction"},
    "reports": {"data", "formats", "networks", "errors", "metrics", "correction"},
    "page": {"data", "formats", "networks", "errors", "reports", "visuals"},
    "demo": None,  # all
    "packing": {"commands", "data", "networks", "options", "records"},
    "team": LEAVES | {"options", "methods"},
    "runtime": {"formats", "errors"},
    "export": {"formats", "runtime", "records", "data", "networks", "metrics"},
    "commands": None,
    "interactive": None,
    "experiments": {"data", "commands", "methods", "formats", "reports", "page"},
    "listings": None,
    "__main__": None,
    "__init__": set(),
}


def imported(path: Path) -> set[str]:
    """Parts of medkd that a module imports by absolute name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            # from ..losses import x, in medkd/engines/a.py, is medkd.losses
            package = ["medkd", *path.relative_to(ROOT / "medkd").parts[:-1]] if "medkd" in path.parts else []
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [module] + [f"{module}.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("medkd.")}
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "medkd").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_medkd_imports_run_one_way(path):
    part = path.relative_to(ROOT / "medkd").parts[0].removesuffix(".py")
    allowed = ALLOWED[part]
    known = set(ALLOWED) - {"__init__"}
    if allowed is not None:
        assert (imported(path) & known) - {part} <= allowed


@pytest.mark.parametrize("path", sorted((ROOT / "data_prep").glob("*.py")), ids=lambda p: p.name)
def test_data_prep_imports_data_alone(path):
    assert imported(path) <= {"data"}
