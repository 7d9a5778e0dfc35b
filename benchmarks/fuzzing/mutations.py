"""Mutations of files: of bytes, of compressed content, and of the values in JSON, YAML and CSV."""

from __future__ import annotations

import copy
import csv
import gzip
import io
import json
import random
import re
import zlib
from collections.abc import Callable
from typing import Any

import yaml

__all__ = ["CANARY", "mutate"]

CANARY = "executed"  # a file that appears if the content of an input is executed
_TOUCH = f"open('{CANARY}', 'w').close()"
_INTEGERS = (0, 1, -1, 2, 3, 127, 255, 256, 32767, 65535, 65536, 10**6, 10**9, 2**31 - 1, 2**31, 2**63 - 1, 2**64)
_TEXTS = (
    *(
        "",
        " ",
        "a",
        "../../x",
        "/etc/passwd",
        "a\nb",
        "a\x00b",
        "\u202e",
        "é" * 300,
        "x" * 10**4,
        "nan",
        "1e999",
        "=1+1",
    ),
    *(f"$__import__('builtins').exec(\"{_TOUCH}\")", f'$exec("{_TOUCH}")', "@classes", "%classes", "$@a", "$import os"),
    *("<script>", "| a | b |", "null", "true", "1_000", "0x10", "1:30", "2020-01-01", "[1]", "{}", "!!float .inf"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.5, -0.0, float("nan"), float("inf"), 10**9, 10**30, 1e308, [], {}, [[]], [None]),
    *([1, 2, 3], {"a": 1}, {"": ""}, {"_target_": "builtins.exec", "_args_": [_TOUCH]}, [0] * 300, *_TEXTS),
)
_YAML = (
    f'!!python/object/apply:builtins.exec ["{_TOUCH}"]',
    "&a [*a]",
    "{? [1] : 2}",
    "!!binary aGVsbG8=",
    "a: &x {<<: *x}",
)


def mutate(content: bytes, kind: str, draw: random.Random, other: bytes = b"") -> bytes:
    """Return a mutated copy of a file.

    Args:
        content: of the file.
        kind: "json", "yaml" or "csv" for mutations of values, "gzip" for those of the content below the compression, "bytes".
        draw: source of randomness.
        other: another file of the kind, of which a piece may be taken.
    """
    structured = {"json": _mutate_json, "yaml": _mutate_yaml, "csv": _mutate_csv, "gzip": _mutate_gzip}.get(kind)
    if structured and draw.random() < 0.75:
        try:
            return structured(content, draw)
        except (ValueError, RecursionError, OverflowError, EOFError, OSError, zlib.error, yaml.YAMLError):
            pass  # mutated before, and no longer of its kind
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        content = draw.choice(_BYTES)(content, draw, other)
    return content


def _flip(content: bytes, draw: random.Random, other: bytes) -> bytes:
    if not content:
        return content
    place = draw.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]


def _flip_near_start(content: bytes, draw: random.Random, other: bytes) -> bytes:
    return _flip(content[:400], draw, other) + content[400:]  # headers


def _integer(content: bytes, draw: random.Random, other: bytes) -> bytes:
    width, order = draw.choice((1, 2, 4, 8)), draw.choice(("little", "big"))
    place = draw.randrange(min(len(content), draw.choice((100, 400, 10**9))) + 1)
    value = draw.choice(_INTEGERS) % 2 ** (8 * width)
    return content[:place] + value.to_bytes(width, order) + content[place + width :]


def _number(content: bytes, draw: random.Random, other: bytes) -> bytes:
    """Replace a number that is written in digits."""
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", content[:20000]))
    if not numbers:
        return _integer(content, draw, other)
    number = draw.choice(numbers)
    value = draw.choice((*map(str, _INTEGERS), "-5", "nan", "inf", "1e400", "0.0", "x", "", "9" * 400)).encode()
    return content[: number.start()] + value + content[number.end() :]


def _cut(content: bytes, draw: random.Random, other: bytes) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def _remove(content: bytes, draw: random.Random, other: bytes) -> bytes:
    place = draw.randrange(len(content) + 1)
    return content[:place] + content[place + draw.choice((1, 2, 4, 16, 100)) :]


def _repeat(content: bytes, draw: random.Random, other: bytes) -> bytes:
    place, length = draw.randrange(len(content) + 1), draw.choice((1, 4, 32, 400))
    return content[:place] + content[place : place + length] * draw.choice((2, 3, 50)) + content[place + length :]


def _splice(content: bytes, draw: random.Random, other: bytes) -> bytes:
    return content[: draw.randrange(len(content) + 1)] + other[draw.randrange(len(other) + 1) :]


def _text(content: bytes, draw: random.Random, other: bytes) -> bytes:
    """Insert a text, or replace a line by one."""
    text = draw.choice((*_TEXTS, *_YAML)).encode("utf-8", "surrogatepass")
    if draw.random() < 0.5:
        place = draw.randrange(len(content) + 1)
        return content[:place] + text + content[place:]
    lines = content.split(b"\n")
    lines[draw.randrange(len(lines))] = text
    return b"\n".join(lines)


_BYTES: tuple[Callable[[bytes, random.Random, bytes], bytes], ...] = (
    *(_flip, _flip_near_start, _flip_near_start, _integer, _integer, _number, _number),
    *(_cut, _remove, _repeat, _splice, _text),
)


def _mutate_gzip(content: bytes, draw: random.Random) -> bytes:
    return gzip.compress(mutate(gzip.decompress(content), "bytes", draw), 1)


def _mutate_json(content: bytes, draw: random.Random) -> bytes:
    value = _change(json.loads(content), draw)
    text = json.dumps(value)
    if draw.random() < 0.05:
        text = "[" * 10**5 + text
    return text.encode(draw.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16")), "surrogatepass")


def _mutate_yaml(content: bytes, draw: random.Random) -> bytes:
    text = yaml.safe_dump(_change(yaml.safe_load(content), draw), sort_keys=False)
    if draw.random() < 0.2:
        lines = text.splitlines()
        place = draw.randrange(len(lines))
        lines[place] = lines[place].partition(":")[0] + ": " + draw.choice(_YAML)
        text = "\n".join(lines)
    return text.encode("utf-8", "surrogatepass")


def _mutate_csv(content: bytes, draw: random.Random) -> bytes:
    rows = list(csv.reader(io.StringIO(content.decode())))
    for _ in range(draw.choice((1, 1, 3))):
        row = draw.choice(rows)
        action = draw.randrange(5)
        if action == 0 and row:
            row[draw.randrange(len(row))] = str(draw.choice(_VALUES))
        elif action == 1 and row:
            del row[draw.randrange(len(row))]
        elif action == 2:
            row.append(str(draw.choice(_VALUES)))
        elif action == 3:
            rows.insert(draw.randrange(len(rows) + 1), copy.copy(draw.choice(rows)))
        else:
            draw.shuffle(row)
    stream = io.StringIO()
    csv.writer(stream, delimiter=draw.choice((",", ",", ";", "\t"))).writerows(rows)
    return stream.getvalue().encode(draw.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16")), "surrogatepass")


def _change(value: Any, draw: random.Random) -> Any:
    """Return a value with some places replaced, removed, renamed or exchanged."""
    value = copy.deepcopy(value)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        places = list(_places(value))
        if not places:
            return draw.choice(_VALUES)
        owner, key = draw.choice(places)
        action = draw.randrange(6)
        if action == 0:
            del owner[key]
        elif action == 1 and isinstance(owner, dict):
            owner[draw.choice(_TEXTS)] = owner.pop(key)
        elif action == 2:
            other_owner, other = draw.choice(places)
            owner[key] = copy.deepcopy(other_owner[other])
        elif action == 3:
            owner[key] = [copy.deepcopy(owner[key])] * draw.choice((0, 1, 3))
        else:
            owner[key] = copy.deepcopy(draw.choice(_VALUES))
    return value


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _places(item)
