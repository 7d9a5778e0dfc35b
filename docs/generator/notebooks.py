"""Execute notebooks and write their outputs into them: ``python docs/generator/notebooks.py [NOTEBOOKS]``, by default all."""

from __future__ import annotations

import base64
import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

__all__ = ["NOTEBOOKS", "execute", "shape_of_outputs"]

_ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((_ROOT / "notebooks").glob("*.ipynb"))
_FOLDER = re.compile(r"/\S*/medkd_\w{8}\b")  # where a notebook works: another one in each execution
_SHOWN_FIRST, _SHOWN_LAST = 36, 9  # lines of what a command prints
_NUMBER = re.compile(r"[-+]?(?:\d[\d.,:]*(?:e[-+]?\d+)?|\bnan\b|\binf\b)", re.IGNORECASE)
_REMARK = re.compile(r"(?<=#) +\([^()]*\)")  # behind a value, where it needs one: (of 3 cases), (1 still rising)


def execute(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Run a notebook from its first cell to its last, and return it with its outputs.

    Outputs hold no widget, no warning and no path of the machine. Pictures are made small.

    Args:
        path: the notebook.
        folder: where its kernel starts.

    Raises:
        CellExecutionError: when a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    metadata = dict(notebook.metadata)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    notebook.metadata = nbformat.from_dict(metadata)  # without the state of widgets, megabytes
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _clean(cell.outputs)
    return notebook


def shape_of_outputs(notebook: nbformat.NotebookNode) -> list[list[Any]]:
    """Return the tables, values and pictures that each code cell shows: kinds, and words without numbers.

    Numbers differ between processors, what stands beside them does not. What the commands print is left out: some of their
    lines depend on time and on how the training went.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [[_shape(output.data) for output in cell.outputs if "data" in output] for cell in code]


def _clean(outputs: list[Any]) -> list[Any]:
    """Return outputs without warnings and widgets, with one stream, of at most 46 lines, for consecutive ones."""
    kept: list[Any] = []
    for output in outputs:
        if output.get("name") == "stderr" or any("widget" in kind for kind in output.get("data", ())):
            continue
        if output.output_type == "stream":
            output.text = _without_places(output.text)
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
                continue
        else:
            texts = {kind: _without_places(text) for kind, text in output.data.items() if kind.startswith("text/")}
            pictures = {kind: _smaller(picture) for kind, picture in output.data.items() if kind == "image/png"}
            output.data |= texts | pictures
        kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = _shortened(output.text)
    return kept


def _shortened(text: str) -> str:
    """Return a text whose middle lines are left out if it has more than 46."""
    lines = text.splitlines(keepends=True)
    left_out = len(lines) - _SHOWN_FIRST - _SHOWN_LAST
    if left_out <= 1:
        return text
    return "".join([*lines[:_SHOWN_FIRST], f"[... {left_out} lines ...]\n", *lines[-_SHOWN_LAST:]])


def _without_places(text: str) -> str:
    return _FOLDER.sub("/tmp/medkd", text).replace(str(_ROOT), "MEDKD")


def _smaller(encoded: str) -> str:
    """Return a PNG in base64 with at most 800 x 800 pixels and a palette, or as it is if that is smaller."""
    picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
    picture.thumbnail((800, 800))
    stream = io.BytesIO()
    picture.quantize(256, Image.Quantize.MAXCOVERAGE).save(stream, "png", optimize=True)
    return min(encoded, base64.b64encode(stream.getvalue()).decode(), key=len)


def _shape(data: Any) -> dict[str, str]:
    return {kind: _mask(content) if kind == "text/plain" else "" for kind, content in sorted(data.items())}


def _mask(text: str) -> str:
    """Return the words of a table or value, sorted: how pandas breaks a wide table into lines depends on its numbers."""
    words = _REMARK.sub("", _NUMBER.sub("#", text)).split()
    return " ".join(sorted({word for word in words if word not in ("#", "\\")}))


if __name__ == "__main__":
    for notebook_path in map(Path, sys.argv[1:] or NOTEBOOKS):
        with tempfile.TemporaryDirectory() as start:
            nbformat.write(execute(notebook_path, Path(start)), notebook_path)
        print(f"{notebook_path}: {notebook_path.stat().st_size // 1024} KiB", flush=True)
