"""Notebooks define nothing, are kept free of output, explain each cell, and run from the first cell to the last."""

import ast
import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
# Cells after the imports that call something.
LEAST = 5


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def parsed(cell: dict) -> ast.Module:
    """The syntax of a code cell without its magics."""
    return ast.parse("".join(line for line in cell["source"] if not line.startswith("%")))


def test_there_are_six():
    assert [path.name[0] for path in NOTEBOOKS] == list("123456")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_sources_hold_no_output(path):
    for cell in cells(path):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None, "clear the outputs before committing"


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
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert list(tmp_path.iterdir()) == []  # everything went into a temporary folder
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ()) if "data" in output]
    assert any("image/png" in output["data"] for output in shown)
