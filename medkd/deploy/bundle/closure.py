"""Which modules of medkd a set of names needs, found by reading imports: nothing is listed by hand, nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["PACKAGE", "Closure", "source_of"]

PACKAGE = __package__.partition(".")[0]


@cache
def source_of(module: str) -> Path | None:
    """The file of a module or package, None where there is no such module."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # its parent is no package
        return None
    return None if spec is None or spec.origin is None else Path(spec.origin)


class Closure:
    """Modules that define the names asked for, and all that these import.

    The ``__init__`` of a package imports the whole of it, so it is not among them: of a package that only hands names on,
    ``exports`` keeps those that somebody asked for. An ``__init__`` with the definition of such a name is a module like any
    other.

    Attributes:
        modules: dotted names of the modules, packages with code of their own included.
        exports: package -> name -> the module that it comes from.
        others: top-level modules that are not ours, such as "nibabel".
    """

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self.exports: dict[str, dict[str, str]] = {}
        self.others: set[str] = set()

    def add(self, module: str, name: str) -> None:
        """Adds what ``from module import name`` needs.

        Raises:
            ValueError: where neither the module nor the package has that name.
        """
        if not self._is_package(module):
            self._add_module(module)
        elif (origin := self._reexports(module).get(name)) is not None:
            self.exports.setdefault(module, {})[name] = origin
            self.add(origin, name)
        elif source_of(f"{module}.{name}") is not None:
            self._add_module(f"{module}.{name}")
        elif name in _defined(module):
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
            origin = absolute(module, node)
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
            # the name of the whole package would have to exist where the copy is
            raise ValueError(f"{module}: `import {alias.name}` cannot be copied: write `from ... import ...`")
        self._add_module(alias.name)

    @staticmethod
    def _is_package(module: str) -> bool:
        source = source_of(module)
        return source is not None and source.name == "__init__.py"

    @staticmethod
    def _reexports(package: str) -> dict[str, str]:
        """Names that a package's ``__init__`` imports from modules of ours, and these modules."""
        found = {}
        for node in _imports(package):
            if isinstance(node, ast.ImportFrom) and (origin := absolute(package, node)).startswith(f"{PACKAGE}."):
                found |= {alias.name: origin for alias in node.names if alias.asname in (None, alias.name)}
        return found


def _tree(module: str) -> ast.Module:
    return ast.parse(source_of(module).read_text(encoding="utf-8"))


def _imports(module: str) -> Iterator[ast.Import | ast.ImportFrom]:
    return (node for node in ast.walk(_tree(module)) if isinstance(node, ast.Import | ast.ImportFrom))


def _defined(module: str) -> set[str]:
    """Names of a module's own functions, classes and variables."""
    found = set()
    for node in _tree(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def absolute(module: str, node: ast.ImportFrom) -> str:
    """The module that an import statement of ``module`` names, relative or not."""
    if not node.level:
        return node.module or ""
    source = source_of(module)
    parts = module.split(".") if source is not None and source.name == "__init__.py" else module.split(".")[:-1]
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
