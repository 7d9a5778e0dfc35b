"""Read the arguments of functions and classes from their source files, without importing them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

__all__ = ["Definition", "argument_names", "find_definition", "takes_any_argument"]


class Definition(NamedTuple):
    """A function or class in its source file."""

    module: str
    node: ast.FunctionDef | ast.ClassDef


@cache
def argument_names(target: str) -> frozenset[str]:
    """Return the names of the arguments of a function or class.

    A class has those of its base classes too: a constructor that takes ``**kwargs`` passes them on. What the source files do
    not tell is imported.

    Args:
        target: dotted name, such as ``monai.transforms.Compose``.

    Returns:
        The names; empty for a name that does not exist.

    Example:
        >>> sorted(argument_names("medkd.cli.words.format_value"))
        ['value']
    """
    module, _, name = target.rpartition(".")
    definition = find_definition(module, name)
    return frozenset(_arguments(definition)) if definition is not None else _imported_arguments(module, name)


def takes_any_argument(target: str) -> bool:
    """Return whether a function or class takes ``**kwargs``, or its source file does not tell its arguments.

    Example:
        >>> takes_any_argument("medkd.cli.words.format_value"), takes_any_argument("builtins.dict")
        (False, True)
    """
    module, _, name = target.rpartition(".")
    definition = find_definition(module, name)
    if definition is None:
        return True
    node = definition.node
    body = [node] if isinstance(node, ast.FunctionDef) else node.body
    name = name if isinstance(node, ast.FunctionDef) else "__init__"
    functions = [item for item in body if isinstance(item, ast.FunctionDef) and item.name in (node.name, name)]
    return not functions or any(function.args.kwarg for function in functions)


def find_definition(module: str, name: str) -> Definition | None:
    """Return the function or class that ``from module import name`` gives; None if the source files do not tell."""
    return _find(module, name, set())


def _find(module: str, name: str, visited: set[tuple[str, str]]) -> Definition | None:
    source = _source_of(module)
    if source is None or (module, name) in visited:
        return None
    visited.add((module, name))
    stars = []
    for node in _statements(_parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return Definition(module, node)
        if isinstance(node, ast.ImportFrom):
            origin = _origin(module, source, node)
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _find(origin, alias.name, visited)
                if alias.name == "*":
                    stars.append(origin)
    return next((found for star in stars if (found := _find(star, name, visited)) is not None), None)


def _arguments(definition: Definition) -> set[str]:
    module, node = definition
    if isinstance(node, ast.FunctionDef):
        return _names_of(node)
    names = {
        item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            names = _names_of(item) - {"self"}
    for base in node.bases:
        found = _find_base(module, base)
        names |= _arguments(found) if found is not None else set()
    return names


def _find_base(module: str, base: ast.expr) -> Definition | None:
    if isinstance(base, ast.Name):
        return find_definition(module, base.id)
    # torch.nn.Module: its own arguments are nothing that a configuration sets
    return None


def _names_of(node: ast.FunctionDef) -> set[str]:
    arguments = node.args
    return {argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}


@cache
def _parse(source: Path) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"))


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those inside ``if`` and ``try`` too."""
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop(0)
        yield node
        if isinstance(node, ast.If | ast.Try):
            pending = [*node.body, *node.orelse, *pending]


def _origin(module: str, source: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".") if source.name == "__init__.py" else module.split(".")[:-1]
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


@cache
def _source_of(module: str) -> Path | None:
    """Return the file of a module or package, without importing it or its parents."""
    top, *rest = module.split(".")
    for depth in range(min(len(rest), 1) + 1):
        # a package that is mapped to another folder is known to its parent alone, a light one
        try:
            spec = find_spec(".".join([top, *rest[:depth]]))
        except (ImportError, ValueError):
            return None
        for location in (spec.submodule_search_locations or ()) if spec is not None else ():
            path = Path(location, *rest[depth:])
            for file in (path / "__init__.py", path.with_suffix(".py")):
                if file.is_file():
                    return file
        if spec is not None and not rest[depth:] and spec.origin is not None and spec.origin.endswith(".py"):
            return Path(spec.origin)
    return None


def _imported_arguments(module: str, name: str) -> frozenset[str]:
    try:
        component = getattr(import_module(module), name)
        owners = (
            [vars(base).get("__init__", object) for base in component.__mro__]
            if inspect.isclass(component)
            else [component]
        )
        parameters = [parameter for owner in owners for parameter in inspect.signature(owner).parameters.values()]
    except (ImportError, AttributeError, TypeError, ValueError):
        return frozenset()
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return frozenset(names - {"self"})
