"""A description keeps its values in JSON, and another one is refused."""

import dataclasses
import json

import pytest

from medkd.deploy.runtime import ModelSpec


@pytest.mark.parametrize("changes", [{}, {"kind": "volumes", "size": (8, 16, 16), "spacing": (3.0, 1.0, 1.0)}])
def test_json_keeps_all_values(spec, changes):
    spec = dataclasses.replace(spec, **changes)
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert spec.num_classes == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "meshes"}, "kind: found 'meshes', expected slices or volumes or pictures"),
        ({"decide": "threshold"}, "decide: found 'threshold', expected argmax"),
        ({"flavour": 1}, r"written by another version of medkd: \['flavour'\]"),
    ],
)
def test_an_unknown_value_or_name_is_refused(spec, change, message):
    with pytest.raises(ValueError, match=message):
        ModelSpec.from_json(json.dumps({**json.loads(spec.to_json()), **change}))


def test_another_text_is_refused():
    with pytest.raises(ValueError, match="written by another version of medkd: list"):
        ModelSpec.from_json("[]")
