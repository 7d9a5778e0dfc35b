"""The modules of medkd that a set of names needs, from the import statements of the sources; nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["PACKAGE", "Closure", "find_source", "is_package", "read_source", "resolve_import"]

PACKAGE = __package__.partition(".")[0]


@cache
def find_source(module: str) -> Path | None:
    """Return the file of a module or package; None if it does not exist."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # the parent is not a package
        return None
    return None if spec is None or spec.origin is None else Path(spec.origin)


def is_package(module: str) -> bool:
    """Return whether a dotted name is that of a package."""
    source = find_source(module)
    return source is not None and source.name == "__init__.py"


def read_source(module: str) -> str:
    """Return the text of a module.

    Raises:
        ValueError: if the module does not exist.
    """
    source = find_source(module)
    if source is None:
        raise ValueError(f"{module}: found no source file")
    return source.read_text(encoding="utf-8")


def resolve_import(module: str, node: ast.ImportFrom) -> str:
    """Return the absolute name of the module that an import statement of ``module`` names, relative or not."""
    if not node.level:
        return node.module or ""
    parts = module.split(".") if is_package(module) else module.split(".")[:-1]
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


class Closure:
    """Modules that define the added names, and all modules that these import.

    The ``__init__`` of a package imports the whole package, so it is left out. Of a package that only re-exports names,
    ``exports`` keeps the names that were added or imported. An ``__init__`` that defines such a name counts as a module.

    Attributes:
        modules: dotted names of the modules, and of the packages that define names themselves.
        exports: package -> name -> the module that defines it.
        others: top-level modules outside medkd, such as "nibabel".

    Example:
        >>> closure = Closure()
        >>> closure.add("medkd.networks", "UNet")
        >>> closure.exports
        {'medkd.networks': {'UNet': 'medkd.networks.unet'}}
    """

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self.exports: dict[str, dict[str, str]] = {}
        self.others: set[str] = set()

    def add(self, module: str, name: str) -> None:
        """Add what ``from module import name`` needs.

        Raises:
            ValueError: if neither the module nor the package has that name.
        """
        if not is_package(module):
            self._add_module(module)
        elif (origin := _reexports(module).get(name)) is not None:
            self.exports.setdefault(module, {})[name] = origin
            self.add(origin, name)
        elif find_source(f"{module}.{name}") is not None:
            self._add_module(f"{module}.{name}")
        elif name in _defined_names(module):
            self._add_module(module)
        else:
            raise ValueError(f"{module} has no {name!r}")

    def _add_module(self, module: str) -> None:
        if module in self.modules:
            return
        self.modules.add(module)
        for node in _imports(module):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._add_import(module, alias)
                continue
            origin = resolve_import(module, node)
            if origin.partition(".")[0] != PACKAGE:
                self.others.add(origin.partition(".")[0])
                continue
            for alias in node.names:
                self.add(origin, alias.name)

    def _add_import(self, module: str, alias: ast.alias) -> None:
        if alias.name.partition(".")[0] != PACKAGE:
            self.others.add(alias.name.partition(".")[0])
            return
        if alias.asname is None or "." not in alias.name:
            # the statement binds the name of the whole package, which does not exist beside the copy
            raise ValueError(f"{module}: found `import {alias.name}`, expected `from ... import ...`: it is copied")
        self._add_module(alias.name)


def _reexports(package: str) -> dict[str, str]:
    """Return the names that the ``__init__`` of a package imports from modules of medkd, and these modules."""
    origins: dict[str, str] = {}
    for node in _imports(package):
        if isinstance(node, ast.ImportFrom) and (origin := resolve_import(package, node)).startswith(f"{PACKAGE}."):
            origins |= {alias.name: origin for alias in node.names if alias.asname in (None, alias.name)}
    return origins


def _imports(module: str) -> Iterator[ast.Import | ast.ImportFrom]:
    tree = ast.parse(read_source(module))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def _defined_names(module: str) -> set[str]:
    """Return the names of the functions, classes and variables that a module defines itself."""
    names = set()
    for node in ast.parse(read_source(module)).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names
