"""Write one page for each method: from its preset, the docstrings of its losses, and the hand-written part."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import yaml

from medkd.methods.presets import names, resolve_preset, resolve_reference
from medkd.methods.table import rows

from .pages import ROOT, table, write
from .results import results_of
from .taps import draw_taps

__all__ = ["write_method_pages"]

_COST = "../../../benchmarks/README.md#cost-of-a-step"


def write_method_pages() -> None:
    """Write ``methods/index.md`` and ``methods/<name>.md``."""
    written = yaml.safe_load((Path(__file__).parent / "methods.yaml").read_text(encoding="utf-8"))
    if set(written) != set(names()):
        raise ValueError(
            f"docs/generator/methods.yaml: differs from the presets in {sorted(set(written) ^ set(names()))}"
        )
    losses = loss_docstrings()
    for name, text in written.items():
        write(f"methods/{name}.md", _page(name, text, losses))
    write("methods/index.md", _index(written))


def loss_docstrings() -> dict[str, str]:
    """Return class -> docstring of all losses, read from the sources: torch is not imported."""
    found = {}
    for path in sorted((ROOT / "medkd/losses").glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found[node.name] = ast.get_docstring(node) or ""
    return found


def _index(written: dict[str, Any]) -> str:
    cells = [
        [f"[`{row['method']}`]({row['method']}.md)", row["paper"], row["reads"], row["learns"], row["step"]]
        for row in rows()
    ]
    lines = [
        "# Methods",
        "",
        "Generated from the presets. *Reads*: what the method reads of both networks. *Learns*: what it trains beside them.",
        "*Step*: the time of a training step divided by that with labels alone and the teacher's forward pass",
        f"([measured]({_COST}); 256 x 256, `plckd` and `swap` at 224 x 224 with TransUNet teaching UNet).",
        "",
        table(["method", "paper", "reads", "learns", "step"], cells),
        "",
        "[Which method when](../../concepts/choose.md) · [results](../../results.md)",
        "",
        "```{toctree}",
        ":hidden:",
        "",
        *(f"{row['method']} <{row['method']}>" for row in rows()),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _page(name: str, text: dict[str, Any], losses: dict[str, str]) -> str:
    preset, arguments = resolve_preset(name)
    terms = {key: term for key, term in preset["terms"].items() if "loss" in term}
    classes = list(dict.fromkeys(term["loss"]["_target_"].rpartition(".")[2] for term in terms.values()))
    lines = [f"# {text['title']}", "", text["idea"], "", "$$", text["formula"], "$$", "", *_facts(name, preset, text)]
    if terms:
        pairs = text.get("pairs") or {key: _taps(term["tap"], arguments) for key, term in terms.items()}
        drawing = draw_taps({key: taps for key, taps in pairs.items() if taps})
        lines += ["", "## What is compared", "", "```{raw} html", drawing, "```", "", _CAPTION]
    if classes:
        lines += ["", "## The terms", *(line for key in classes for line in _term(key, losses[key]))]
    lines += ["", "## Arguments", "", *_arguments(name, preset, arguments)]
    lines += ["", "## Our results", *results_of(name)]
    if text.get("open"):
        lines += ["", "## Not established", "", text["open"]]
    return "\n".join(lines) + "\n"


_CAPTION = """Boxes are stages by their resolution, of two networks with five encoder stages; others are paired by resolution. A
term without a line has no tap by default."""


def _facts(name: str, preset: dict[str, Any], text: dict[str, Any]) -> list[str]:
    paper = f"[{preset['paper']}]({text['paper']})" if "paper" in text else preset["paper"]
    code = f"[{text['code'].removeprefix('https://')}]({text['code']})" if "code" in text else "none that was found"
    cost = f"[{preset['cost']:.2f} times a step]({_COST})" if preset["cost"] else "not measured"
    facts = [
        ["paper", paper],
        ["reads", preset["reads"]],
        ["learns beside the student", preset["learns"]],
        ["cost", cost],
    ]
    if "paper" in text or "code" in text:
        facts.insert(1, ["released code", code])
    return [table(["", ""], facts)]


def _taps(tap: Any, arguments: dict[str, Any]) -> list[str]:
    """Return the taps of a term, also of an expression that adds an end to an argument."""
    value = resolve_reference(tap, arguments)
    expression = re.fullmatch(r"\$@args::(\w+) \+ '( -> \w+)'", str(value))
    if expression:
        return [arguments[expression[1]] + expression[2]]
    return list(value) if isinstance(value, list) else [str(value)]


def _term(name: str, docstring: str) -> list[str]:
    """Return the formula and the differences of a loss, as its docstring states them."""
    head = re.split(r"^(?:Args|Shape|Attributes|Example|Raises):", docstring, maxsplit=1, flags=re.MULTILINE)[0].strip()
    reference = re.search(r"^Reference: (.*?)(?:\n\n|\Z)", docstring, flags=re.MULTILINE | re.DOTALL)
    lines = ["", f"### {name}", "", "```{eval-rst}", head]
    if reference:
        lines += ["", "**Reference, and differences from the authors' code.** " + reference[1]]
    return [*lines, "```", "", f"In Python: {{py:class}}`medkd.losses.{name}`"]


def _arguments(name: str, preset: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
    comments = [
        line.lstrip("# ")
        for line in (ROOT / f"medkd/methods/{name}.yaml").read_text().splitlines()
        if line.startswith("#")
    ]
    if not arguments:
        return [" ".join(comments)]
    choices = preset.get("choices", {})
    cells = [
        [f"`--method_args::{key}`", f"`{value}`", ", ".join(map(str, choices.get(key, [])))]
        for key, value in arguments.items()
    ]
    return [table(["argument", "default", "choices"], cells), "", "Sources of the numbers: " + " ".join(comments)]
