"""Find the references of a configuration to code of medkd, and rewrite them to the bundle's copy.

A configuration names code in two ways: by ``_target_: medkd.networks.UNet``, and in expressions by the name of an import,
such as ``$io.find_images(@input)`` after ``$import medkd.io as io``. MONAI executes all imports before anything else, when
the folder of the bundle is not known yet. So the copy is reached through the id `SCRIPTS` in place of an import.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from monai.bundle import ReferenceResolver

from .closure import PACKAGE

__all__ = ["SCRIPTS", "code_names", "foreign_imports", "import_aliases", "reachable", "rewrite_references"]

SCRIPTS = "scripts"


class _Use(NamedTuple):
    """One use of a module of medkd in an expression."""

    begin: int  # position of the alias in the text
    end: int
    module: str
    attribute: str  # empty if the module itself is the value


def import_aliases(config: dict[str, Any]) -> dict[str, str]:
    """Return the aliases of medkd's modules in the imports of a configuration.

    Example:
        >>> import_aliases({"imports": ["$import torch", "$import medkd.io as io"]})
        {'io': 'medkd.io'}
    """
    aliases = {}
    for line in config.get("imports", []):
        node = ast.parse(line.removeprefix("$")).body[0]
        if not isinstance(node, ast.Import | ast.ImportFrom):
            raise ValueError(f"imports: found {line!r}, expected an import statement")
        base = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            if f"{base}{alias.name}".split(".")[0] == PACKAGE:
                aliases[alias.asname or alias.name] = f"{base}{alias.name}"
    return aliases


def foreign_imports(config: dict[str, Any]) -> list[str]:
    """Return the import statements of a configuration that name nothing of medkd."""
    return [line for line in config.get("imports", []) if not import_aliases({"imports": [line]})]


def reachable(config: dict[str, Any], *ids: str) -> set[str]:
    """Return the top-level ids that some ids refer to, directly or not, with these ids themselves.

    Example:
        >>> sorted(reachable({"a": "@b", "b": "$@c::d + 1", "c": {"d": 2}, "e": "@a"}, "a"))
        ['a', 'b', 'c']
    """
    names: set[str] = set()
    pending = list(ids)
    while pending:
        name = pending.pop()
        if name in config and name not in names:
            names.add(name)
            texts = (text for text in _texts(config[name]) if text.startswith(("$", "@", "%")))
            pending += [reference for text in texts for reference in re.findall(r"[@%](\w+)", text)]
    return names


def code_names(value: Any, aliases: dict[str, str]) -> set[tuple[str, str]]:
    """Return ``(module, name)`` for every use of medkd's code in a value of a configuration.

    Args:
        value: of one id, or a dictionary of several.
        aliases: what `import_aliases` returned.

    Raises:
        ValueError: if an expression uses a module itself as a value.
    """
    names = set(_targets(value))
    for text in _texts(value):
        for use in _uses(text, aliases):
            if not use.attribute:
                raise ValueError(f"{text}: {use.module} itself cannot be packed, only the names in it")
            names.add((use.module, use.attribute))
    return names


def rewrite_references(value: Any, aliases: dict[str, str], package: str) -> Any:
    """Return a value of a configuration whose references to medkd name the copy.

    Args:
        value: of one id, or a dictionary of several.
        aliases: what `import_aliases` returned.
        package: name of the copy.
    """
    if isinstance(value, list):
        return [rewrite_references(item, aliases, package) for item in value]
    if isinstance(value, dict):
        items = {key: rewrite_references(item, aliases, package) for key, item in value.items()}
        target = value.get("_target_")
        if isinstance(target, str) and target.startswith(f"{PACKAGE}."):
            # MONAI resolves `_requires_` first: it makes the copy importable
            items |= {"_target_": package + target.removeprefix(PACKAGE), "_requires_": f"@{SCRIPTS}"}
        return items
    return _rewrite_text(value, aliases) if isinstance(value, str) else value


def _rewrite_text(text: str, aliases: dict[str, str]) -> str:
    # from the last use to the first, so that the positions of the others stay valid
    for use in sorted(_uses(text, aliases), reverse=True):
        text = f"{text[: use.begin]}@{SCRIPTS}{use.module.removeprefix(PACKAGE)}{text[use.end :]}"
    return text


def _uses(text: str, aliases: dict[str, str]) -> Iterator[_Use]:
    """Yield the uses of medkd's modules in a text, if it is an expression."""
    if not text.startswith("$"):
        return
    # References such as @id are not Python: plain names of the same length keep all positions.
    python = ReferenceResolver.id_matcher.sub(lambda reference: "_" * len(reference[0]), text[1:])
    tree = ast.parse(python.strip(), mode="eval")
    shift = 1 + len(python) - len(python.lstrip())
    attributes = {id(node.value): node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in aliases:
            begin = shift + len(python.strip().encode()[: node.col_offset].decode())  # col_offset counts bytes
            yield _Use(begin, begin + len(node.id), aliases[node.id], attributes.get(id(node), ""))


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in a value of a configuration."""
    if isinstance(value, str):
        yield value
    for item in _children(value):
        yield from _texts(item)


def _targets(value: Any) -> Iterator[tuple[str, str]]:
    """Yield module and name of each ``_target_`` in medkd."""
    target = value.get("_target_") if isinstance(value, dict) else None
    if isinstance(target, str) and target.startswith(f"{PACKAGE}."):
        module, _, name = target.rpartition(".")
        yield module, name
    for item in _children(value):
        yield from _targets(item)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
