"""The options of a preparation: the arguments of its function, read from its source file."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

from medkd.configs.option import Kind, Option

from .signatures import find_definition

__all__ = ["prepare_options"]

_NO_DEFAULT: Any = ...
# Of an annotation, the first of these words that it holds tells the kind.
_KINDS: tuple[tuple[str, Kind], ...] = (
    ("Sequence", "list"),
    ("PathLike", "path"),
    ("Path", "path"),
    ("bool", "truth"),
    ("int", "number"),
    ("float", "number"),
)


def prepare_options(task: str) -> list[Option]:
    """Return the options of ``medkd prepare`` for a task; the default is ``...`` where an option is required.

    The folder that is written, ``target`` of the function, is ``dataset_dir`` here: what every other verb reads from.

    Args:
        task: name of the bundle.

    Raises:
        ValueError: for a task without a preparation.
    """
    definition = find_definition(f"medkd.data_prep.{task}", "prepare")
    if definition is None or not isinstance(definition.node, ast.FunctionDef):
        raise ValueError(f"medkd prepare {task}: no function medkd.data_prep.{task}.prepare")
    node = definition.node
    meanings = _read_meanings(ast.get_docstring(node) or "")
    options = []
    for argument, default in _arguments(node):
        name = "dataset_dir" if argument.arg == "target" else argument.arg
        kind = _kind(ast.unparse(argument.annotation) if argument.annotation else "", argument.arg)
        # It stands behind arguments that have alternatives, so Python wants a default.
        default = _NO_DEFAULT if name == "dataset_dir" else default
        meaning = meanings.get(argument.arg, "")
        if default is None:  # nobody types None: what it means is the default
            meaning = re.sub(r"(^|\. )None: ", r"\1Default: ", meaning).replace("None: ", "default: ")
        options.append(Option(name, kind, meaning, default, nullable=default is None))
    return options


def _arguments(node: ast.FunctionDef) -> list[tuple[ast.arg, Any]]:
    positional = [*node.args.posonlyargs, *node.args.args]
    missing = len(positional) - len(node.args.defaults)
    defaults: list[ast.expr | None] = [*[None] * missing, *node.args.defaults, *node.args.kw_defaults]
    return [
        (argument, _NO_DEFAULT if default is None else _read_default(default))
        for argument, default in zip([*positional, *node.args.kwonlyargs], defaults, strict=True)
    ]


def _read_default(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return f"${ast.unparse(node)}"  # a name that only an import would resolve


def _kind(annotation: str, name: str) -> Kind:
    if name == "split":  # a name of ours, or a file
        return "text"
    if name == "window":
        return "window"
    return next((kind for word, kind in _KINDS if re.search(rf"\b{word}\b", annotation)), "text")


def _read_meanings(docstring: str) -> dict[str, str]:
    """Return the sentences of the section "Args" by argument."""
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", inspect.cleandoc(docstring), re.MULTILINE | re.DOTALL)
    meanings: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \S)", section[1] if section else ""):
        names, _, text = entry.strip().partition(":")
        # a function of the code says nothing to a user of the command
        sentence = re.sub(r",? \(?see `\w+`\)?", "", " ".join(text.split())).replace("``", "")
        meanings |= {name.strip(): sentence[:1].upper() + sentence[1:] for name in names.split(",")}
    return meanings
