"""Notebooks define nothing, explain each cell, run from the first cell to the last, and show what they hold as outputs."""

import ast
import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
# Cells after the imports that call something.
LEAST = 5
LARGEST = 400_000  # bytes of a notebook with its outputs
WRITE = "the notebook shows something else: python docs/generator/notebooks.py writes its outputs"


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def parsed(cell: dict) -> ast.Module:
    """The syntax of a code cell without its magics."""
    return ast.parse("".join(line for line in cell["source"] if not line.startswith("%")))


def test_there_are_six():
    assert [path.name[0] for path in NOTEBOOKS] == list("123456")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_outputs_are_small_and_of_no_machine(path):
    outputs = [output for cell in cells(path) for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", ()) for output in outputs)
    assert path.stat().st_size < LARGEST
    text = json.dumps([output for output in outputs if "image/png" not in output.get("data", ())])
    assert not re.search(r"Warning|Traceback|site-packages|/home/|/root/|/Users/", text)
    assert set(re.findall(r"/tmp/\w+", text)) <= {"/tmp/medkd"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_call_medkd_and_define_nothing(path):
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    trees = [parsed(cell) for cell in code]
    for tree in trees:
        assert not [node for node in ast.walk(tree) if isinstance(node, DEFINITIONS)]
    calling = [tree for tree in trees[1:] if any(isinstance(node, ast.Call) for node in ast.walk(tree))]
    assert len(calling) >= LEAST
    imported = {node.module.split(".")[0] for node in trees[0].body if isinstance(node, ast.ImportFrom)}
    assert "medkd" in imported
    assert any("SEED = " in line for line in code[0]["source"])
    # a shell's command that fails would not stop the notebook
    assert not [line for cell in code for line in cell["source"] if line.lstrip().startswith(("!", "%%"))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_text_stands_before_each_code_cell(path):
    kinds = [cell["cell_type"] for cell in cells(path)]
    for before, kind in zip([None, *kinds], kinds, strict=False):
        assert kind == "markdown" or before == "markdown"


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path, tmp_path):
    import nbformat

    from docs.generator.notebooks import execute, shape_of_outputs

    shown = execute(path, tmp_path)
    assert list(tmp_path.iterdir()) == []  # everything went into a temporary folder
    assert shape_of_outputs(shown) == shape_of_outputs(nbformat.read(path, as_version=4)), WRITE
