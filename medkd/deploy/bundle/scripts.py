"""The code of a packed bundle: a package of copied modules, under a name that no other bundle has."""

from __future__ import annotations

import ast
import hashlib
import sys
from importlib import metadata
from pathlib import Path

import medkd

from .closure import PACKAGE, Closure, is_package, read_source, resolve_import

__all__ = ["copied_sources", "required_packages", "unique_name", "write_scripts"]

_HEADER = f"# Copied by `medkd pack` from medkd {medkd.__version__}, Apache-2.0: see LICENSE.\n"


def copied_sources(closure: Closure) -> dict[Path, str]:
    """Return the files of the copied package and their texts.

    Imports become relative, so that the package works under any name.

    Args:
        closure: the modules to copy. The packages around them are added.
    """
    packages = {PACKAGE} | set(closure.exports)
    for module in (*closure.modules, *closure.exports):
        parts = module.split(".")
        packages |= {".".join(parts[:n]) for n in range(1, len(parts))}
    texts = {_file_of(module): _HEADER + _with_relative_imports(module) for module in closure.modules}
    for package in packages - closure.modules:
        texts[_file_of(package)] = _HEADER + _init_text(package, closure)
    return dict(sorted(texts.items()))


def unique_name(task: str, texts: dict[Path, str]) -> str:
    """Return the name of the package, which ends in a digest of its code.

    One process may use bundles of different tasks and versions.
    """
    digest = hashlib.sha256()
    for path, text in texts.items():
        digest.update(f"{path.as_posix()}\n{text}\n".encode())
    return f"{task}_{digest.hexdigest()[:8]}"


def write_scripts(folder: Path, texts: dict[Path, str]) -> None:
    """Write the package into its folder."""
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def required_packages(closure: Closure) -> dict[str, str]:
    """Return the packages that the code imports or that every MONAI bundle needs, with their installed versions."""
    distributions = metadata.packages_distributions()
    external = closure.others - set(sys.stdlib_module_names)
    imported = {distributions[name][0] for name in external if name in distributions}
    # MONAI's engines use ignite, its command line uses fire
    names = (imported | {"pytorch-ignite", "fire"}) - {"torch", "monai", "numpy"}
    return {name: metadata.version(name) for name in sorted(names, key=str.lower)}


def _file_of(module: str) -> Path:
    """Return ``data/images.py`` for ``medkd.data.images``, ``data/__init__.py`` for a package."""
    path = Path(*module.split(".")[1:])
    return path / "__init__.py" if is_package(module) else path.with_suffix(".py")


def _init_text(package: str, closure: Closure) -> str:
    """Return the text of an ``__init__`` that re-exports the needed names; the top one imports the packages."""
    if package == PACKAGE:
        inner = {module.split(".")[1] for module in (*closure.modules, *closure.exports) if "." in module}
        names = ",\n".join(f"    {name}" for name in sorted(inner))
        return f"from . import (\n{names},\n)\n"
    lines = [
        f"from {_relative_name(package, origin)} import {name}\n"
        for name, origin in sorted(closure.exports.get(package, {}).items())
    ]
    return "".join(lines)


def _with_relative_imports(module: str) -> str:
    """Return the text of a module whose imports of medkd are relative."""
    text = read_source(module)
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            origin = resolve_import(module, node)
            if not node.level and origin.split(".")[0] == PACKAGE:
                new = f"from {_relative_name(module, origin)} "
                lines[node.lineno - 1] = lines[node.lineno - 1].replace(f"from {origin} ", new, 1)
        elif isinstance(node, ast.Import) and (alias := node.names[0]).name.split(".")[0] == PACKAGE:
            parent, _, name = alias.name.rpartition(".")
            new = f"from {_relative_name(module, parent)} import {name} "
            lines[node.lineno - 1] = lines[node.lineno - 1].replace(f"import {alias.name} ", new, 1)
    return "".join(lines)


def _relative_name(module: str, origin: str) -> str:
    """Return the name of ``origin`` relative to ``module``, such as ``..errors``."""
    parts = module.split(".") if is_package(module) else module.split(".")[:-1]
    targets = origin.split(".")
    shared = 0
    while shared < min(len(parts), len(targets)) and parts[shared] == targets[shared]:
        shared += 1
    return "." * (len(parts) - shared + 1) + ".".join(targets[shared:])
