"""References of a configuration to code of ours: finding them, and turning them to a bundle's own copy.

A configuration names code in two ways: ``_target_: medkd.networks.UNet``, and in expressions by the name of an import,
``$io.find_images(@input)`` after ``$import medkd.data as data``. MONAI makes all imports before anything else, so no such
statement can import from a folder that is to be found first: the copy is reached through the id `SCRIPTS`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from monai.bundle import ReferenceResolver

from .closure import PACKAGE

__all__ = ["SCRIPTS", "code_names", "foreign_imports", "import_aliases", "reachable", "rewrite_references"]

SCRIPTS = "scripts"
Name = tuple[str, str]  # module, name in it


def import_aliases(config: dict[str, Any]) -> dict[str, str]:
    """``{"data": "medkd.data"}``: what the configuration's imports call our modules."""
    found = {}
    for line in config.get("imports", []):
        node = ast.parse(line.removeprefix("$")).body[0]
        base = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            if f"{base}{alias.name}".split(".")[0] == PACKAGE:
                found[alias.asname or alias.name] = f"{base}{alias.name}"
    return found


def foreign_imports(config: dict[str, Any]) -> list[str]:
    """The import statements that name nothing of ours."""
    return [line for line in config.get("imports", []) if not import_aliases({"imports": [line]})]


def reachable(config: dict[str, Any], *ids: str) -> set[str]:
    """The top-level ids that these need, themselves included."""
    found: set[str] = set()
    waiting = list(ids)
    while waiting:
        name = waiting.pop()
        if name in config and name not in found:
            found.add(name)
            texts = (text for text in _texts(config[name]) if text.startswith(("$", "@", "%")))
            waiting += [id_.split("::")[0] for text in texts for id_ in re.findall(r"[@%](\w+)", text)]
    return found


def code_names(value: Any, aliases: dict[str, str]) -> set[Name]:
    """``(module, name)`` of everything of ours in a part of a configuration.

    Raises:
        ValueError: for an expression that hands a module itself about.
    """
    found = set()
    for target in _targets(value):
        found.add(target)
    for text in _texts(value):
        for module, names, _ in _uses(text, aliases):
            if not names:
                raise ValueError(f"{text}: {module} itself cannot be packed, only what is in it")
            found.add((module, names))
    return found


def rewrite_references(value: Any, aliases: dict[str, str], package: str) -> Any:
    """A part of a configuration, with the names of our code rewrite_references to those of the copy called ``package``."""
    if isinstance(value, list):
        return [rewrite_references(item, aliases, package) for item in value]
    if isinstance(value, dict):
        items = {key: rewrite_references(item, aliases, package) for key, item in value.items()}
        target = value.get("_target_")
        if isinstance(target, str) and target.startswith(f"{PACKAGE}."):
            # the folder of the copy must be known before the class is looked for
            items |= {"_target_": package + target.removeprefix(PACKAGE), "_requires_": f"@{SCRIPTS}"}
        return items
    return _turned_text(value, aliases) if isinstance(value, str) else value


def _turned_text(text: str, aliases: dict[str, str]) -> str:
    for module, _, (begin, end) in sorted(_uses(text, aliases), key=lambda use: use[2], reverse=True):
        text = f"{text[:begin]}@{SCRIPTS}{module.removeprefix(PACKAGE)}{text[end:]}"
    return text


def _uses(text: str, aliases: dict[str, str]) -> Iterator[tuple[str, str, tuple[int, int]]]:
    """Module, the name taken from it, and the place of the alias, for each use in an expression."""
    if not text.startswith("$"):
        return
    # what MONAI fills in becomes a plain name of the same length, so that places stay
    plain = ReferenceResolver.id_matcher.sub(lambda found: "_" * len(found[0]), text[1:])
    tree = ast.parse(plain.strip(), mode="eval")
    shift = 1 + len(plain) - len(plain.lstrip())
    attributes = {id(node.value): node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in aliases:
            begin = shift + len(plain.strip().encode()[: node.col_offset].decode())
            yield aliases[node.id], attributes.get(id(node), ""), (begin, begin + len(node.id))


def _texts(value: Any) -> Iterator[str]:
    """All strings in a part of a configuration."""
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(item)


def _targets(value: Any) -> Iterator[Name]:
    if (
        isinstance(value, dict)
        and isinstance(target := value.get("_target_"), str)
        and target.startswith(f"{PACKAGE}.")
    ):
        module, _, name = target.rpartition(".")
        yield module, name
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _targets(item)
