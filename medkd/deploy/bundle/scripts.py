"""The code of a packed bundle: a package of copied modules, under a name that no other bundle has."""

from __future__ import annotations

import hashlib
import re
import sys
from importlib import metadata
from pathlib import Path

import medkd

from .closure import PACKAGE, Closure, is_package, read_source

__all__ = ["copied_sources", "required_packages", "write_scripts"]

_HEADER = f"# Copied by `medkd pack` from medkd {medkd.__version__}, Apache-2.0: see LICENSE.\n"
_IMPORT = re.compile(rf"^(\s*(?:from|import)\s+){PACKAGE}(?=\.|\s)", re.MULTILINE)


def copied_sources(closure: Closure, task: str) -> tuple[str, dict[Path, str]]:
    """Return the name of the copied package, its files and their texts.

    The name ends in a digest of the code: one process may use bundles of different tasks and versions.

    Args:
        closure: the modules to copy. The packages around them are added.
        task: beginning of the name.
    """
    packages = {PACKAGE} | set(closure.exports)
    for module in (*closure.modules, *closure.exports):
        parts = module.split(".")
        packages |= {".".join(parts[:n]) for n in range(1, len(parts))}
    texts = {_file_of(module): read_source(module) for module in closure.modules}
    texts |= {_file_of(package): _init_text(package, closure) for package in packages - closure.modules}
    texts = {path: _HEADER + texts[path] for path in sorted(texts)}
    digest = hashlib.sha256("".join(f"{path.as_posix()}\n{text}\n" for path, text in texts.items()).encode())
    name = f"{task}_{digest.hexdigest()[:8]}"
    return name, {path: _IMPORT.sub(rf"\g<1>{name}", text) for path, text in texts.items()}


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
    """Return the text of an ``__init__`` that re-exports the needed names."""
    exports = sorted(closure.exports.get(package, {}).items())
    return "".join(f"from {origin} import {name}\n" for name, origin in exports)
