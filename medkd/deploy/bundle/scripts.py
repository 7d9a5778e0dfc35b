"""The code of a packed bundle: copies of our modules that import each other, under a name that no other bundle has."""

from __future__ import annotations

import ast
import hashlib
import sys
from importlib import metadata
from pathlib import Path

import medkd

from .closure import PACKAGE, Closure, absolute, source_of

__all__ = ["requirements", "sources", "unique_name", "write_scripts"]

_HEADER = f"# Copied by `medkd pack` from medkd {medkd.__version__}, Apache-2.0: see LICENSE.\n"


def sources(closure: Closure) -> dict[Path, str]:
    """File of the package -> text, for all modules of a closure and the packages around them.

    Imports are relative, so that the package works under any name.
    """
    packages = {PACKAGE} | set(closure.exports)
    for module in (*closure.modules, *closure.exports):
        parts = module.split(".")
        packages |= {".".join(parts[:n]) for n in range(1, len(parts))}
    texts = {_place(module): _HEADER + _relative(module) for module in closure.modules}
    for package in packages - closure.modules:
        texts[_place(package)] = _HEADER + _init(package, closure)
    return dict(sorted(texts.items()))


def unique_name(task: str, texts: dict[Path, str]) -> str:
    """Name of the package: bundles of other code, or of an other version, may be used in one process."""
    digest = hashlib.sha256()
    for path, text in texts.items():
        digest.update(f"{path.as_posix()}\n{text}\n".encode())
    return f"{task}_{digest.hexdigest()[:8]}"


def write_scripts(folder: Path, texts: dict[Path, str]) -> None:
    """Writes the package into a folder that is its own."""
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def requirements(closure: Closure) -> dict[str, str]:
    """Packages that the code imports, and those that running any MONAI bundle needs, at the installed versions."""
    known = metadata.packages_distributions()
    imported = {known[name][0] for name in closure.others - set(sys.stdlib_module_names) if name in known}
    # MONAI's engines are ignite's, its command line is fire's
    names = (imported | {"pytorch-ignite", "fire"}) - {"torch", "monai", "numpy"}
    return {name: metadata.version(name) for name in sorted(names, key=str.lower)}


def _place(module: str) -> Path:
    """``data/images.py`` of ``medkd.data.images``, ``data/__init__.py`` of a package."""
    path = Path(*module.split(".")[1:])
    return path / "__init__.py" if source_of(module).name == "__init__.py" else path.with_suffix(".py")


def _init(package: str, closure: Closure) -> str:
    """An ``__init__`` that hands on the names that were asked for; the top one the packages themselves."""
    if package == PACKAGE:
        inner = {module.split(".")[1] for module in (*closure.modules, *closure.exports) if "." in module}
        names = ",\n".join(f"    {name}" for name in sorted(inner))
        return f"from . import (\n{names},\n)\n"
    lines = [
        f"from {_dots(package, origin)} import {name}\n"
        for name, origin in sorted(closure.exports.get(package, {}).items())
    ]
    return "".join(lines)


def _relative(module: str) -> str:
    """The module's text with its imports of ours made relative."""
    text = source_of(module).read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        row = node.lineno - 1 if isinstance(node, ast.Import | ast.ImportFrom) else 0
        if isinstance(node, ast.ImportFrom) and not node.level and absolute(module, node).split(".")[0] == PACKAGE:
            lines[row] = lines[row].replace(f"from {node.module} ", f"from {_dots(module, node.module)} ", 1)
        elif isinstance(node, ast.Import) and (alias := node.names[0]).name.split(".")[0] == PACKAGE:
            parent, _, name = alias.name.rpartition(".")
            lines[row] = lines[row].replace(f"import {alias.name} ", f"from {_dots(module, parent)} import {name} ", 1)
    return "".join(lines)


def _dots(module: str, origin: str) -> str:
    """``origin`` as seen from ``module``: ``..errors``."""
    own = module.split(".") if source_of(module).name == "__init__.py" else module.split(".")[:-1]
    other = origin.split(".")
    shared = next((n for n, pair in enumerate(zip(own, other)) if pair[0] != pair[1]), min(len(own), len(other)))  # noqa: B905
    return "." * (len(own) - shared + 1) + ".".join(other[shared:])
