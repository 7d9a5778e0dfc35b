"""What the project hands out: metadata, the packages of the wheel, the recipe, the Dockerfile and the pages beside them."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

import medkd

ROOT = Path(__file__).parents[1]
SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg")
# names on conda-forge that differ from those on PyPI
ON_CONDA = {
    "torch": "pytorch",
    "simpleitk": "simpleitk",
    "matplotlib": "matplotlib-base",
    "blosc2": "python-blosc2",
}
HANDED_OUT = [
    ".dockerignore",
    "AGENTS.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "Dockerfile",
    "MANIFEST.in",
    "README.md",
    "SECURITY.md",
    "conda/recipe.yaml",
    "constraints.txt",
    "pyproject.toml",
    "setup.cfg",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / ".github").rglob("*.*")),
]


def test_every_package_of_the_tree_is_listed():
    listed = set(SETUP["options"]["packages"].split())
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "medkd").rglob("__init__.py")}
    assert found | {"medkd.data_prep", "medkd.bundles"} == listed


def test_the_readme_has_one_command_to_run_and_one_to_test():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert sum(line.startswith("pip install") and line.endswith("medkd demo") for line in lines) == 1
    assert sum(line.startswith("pip install") and "pytest" in line for line in lines) == 1


def test_authors_and_licence_are_those_of_the_citation():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert SETUP["metadata"]["author"] == ", ".join(author["name"] for author in citation["authors"])
    assert SETUP["metadata"]["license"] == citation["license"]
    assert (ROOT / "LICENSE").read_text().lstrip().startswith("Apache License")


def test_the_recipe_of_conda_is_in_step_with_setup_cfg():
    recipe = yaml.safe_load((ROOT / "conda/recipe.yaml").read_text())
    required = ["python " + SETUP["options"]["python_requires"]]
    for line in SETUP["options"]["install_requires"].split("\n"):
        if line and not line.startswith("#"):
            name, versions = re.fullmatch(r"([\w-]+)(.*)", line).groups()
            required.append(f"{ON_CONDA.get(name.lower(), name)} {versions}")
    assert recipe["requirements"]["run"] == required
    assert recipe["package"] == {"name": "medkd", "version": medkd.__version__}
    scripts = SETUP["options.entry_points"]["console_scripts"].split("\n")
    assert recipe["build"]["python"]["entry_points"] == [line for line in scripts if line]
    assert recipe["about"]["summary"] == SETUP["metadata"]["description"]
    assert recipe["about"]["license"] == SETUP["metadata"]["license"]


def test_the_docker_build_sees_what_the_wheel_is_built_from():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    roots = {package.split(".")[0] for package in SETUP["options"]["packages"].split()}
    roots |= {folder.split(" = ")[1] for folder in SETUP["options"]["package_dir"].split("\n") if folder}
    roots |= {SETUP["metadata"]["license_files"], SETUP["metadata"]["long_description"].split(": ")[1]}
    assert kept == roots | {"setup.cfg", "pyproject.toml", "constraints.txt"}
    extras = re.search(r"\.\[(.*)\]", (ROOT / "Dockerfile").read_text()).group(1).split(",")
    assert set(extras) <= set(SETUP["options.extras_require"])


def test_the_source_distribution_names_what_exists():
    for line in (ROOT / "MANIFEST.in").read_text().splitlines():
        verb, *names = line.split()
        if verb in ("include", "graft"):
            assert all((ROOT / name).exists() for name in names), line


def test_the_workflow_runs_the_checks_of_the_project():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    steps = workflow["jobs"]["checks"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["bash .ci/run"]
    assert (ROOT / ".ci/run").is_file()


def named_paths(page):
    """Return the paths that a page links to or has between backticks."""
    text = (ROOT / page).read_text()
    words = re.findall(r"`([\w./-]+)`", text)
    marked = [word for word in words if "/" in word or word.endswith((".md", ".cfg", ".txt"))]
    return {*re.findall(r"\]\(([^):#]+)\)", text), *marked} - {"docs/generated/"}  # the site's build writes it


@pytest.mark.parametrize(("page", "longest"), [("AGENTS.md", 60), ("SECURITY.md", 40)])
def test_pages_beside_the_site_are_short_and_name_what_exists(page, longest):
    assert len((ROOT / page).read_text().splitlines()) <= longest
    paths = named_paths(page)
    assert paths and [path for path in sorted(paths) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", HANDED_OUT)
def test_no_path_of_a_machine(name):
    found = re.findall(r"(?<![\w.*:])/(?:tmp|work|home|root|Users)/\S*", (ROOT / name).read_text())
    assert found == []
