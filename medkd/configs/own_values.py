"""The values of medkd's own configurations, evaluated without MONAI's parser, which imports all of MONAI."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

__all__ = ["OwnValues"]

_REFERENCE = re.compile(r"@(\w+)")


class OwnValues:
    """Evaluate ids at the top of a configuration as MONAI's parser does: plain data, ``@id``, ``$expression`` and components.

    The configuration is code. It must be one of medkd's own files, without any overlay, whose components are all of medkd.

    Args:
        config: merged configuration.
        options: ids and their values, which are data: nothing in them is evaluated. ``$None`` is None.
        modules: names in expressions -> modules.

    Example:
        >>> values = OwnValues({"classes": [1, 2], "num": "$len(@classes) + 1", "same": "@num"}, {"classes": [5]}, {})
        >>> values["same"]
        2
    """

    def __init__(self, config: Mapping[str, Any], options: Mapping[str, Any], modules: Mapping[str, Any]) -> None:
        self._config, self._modules = config, dict(modules)
        self._values = {name: None if value == "$None" else value for name, value in options.items()}

    def __getitem__(self, name: str) -> Any:
        """Return the value of an id; each is evaluated once.

        Raises:
            KeyError: for an id that the configuration does not have.
        """
        if name not in self._values:
            self._values[name] = self._evaluate(self._config[name])
        return self._values[name]

    def _evaluate(self, value: Any) -> Any:
        if isinstance(value, dict) and "_target_" in value:
            module, _, name = value["_target_"].rpartition(".")
            arguments = {key: self._evaluate(item) for key, item in value.items() if key != "_target_"}
            return getattr(import_module(module), name)(**arguments)
        if isinstance(value, dict):
            return {key: self._evaluate(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._evaluate(item) for item in value]
        if isinstance(value, str) and value.startswith("@"):
            return self[value[1:]]
        if isinstance(value, str) and value.startswith("$"):
            code = _REFERENCE.sub(r"_values['\1']", value[1:])
            return eval(code, {**self._modules, "_values": self})  # our own files alone, see the class
        return value
