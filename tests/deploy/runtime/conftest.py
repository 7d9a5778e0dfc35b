"""A description of a network of slices, for tests without a network."""

import pytest

from medkd.deploy.runtime import ModelSpec


@pytest.fixture
def spec():
    return ModelSpec(
        task="kits19",
        kind="slices",
        channels=1,
        per_case=None,
        intensities=(-200, 300),
        clip=True,
        padding=-1,
        orientation="IPL",
        size=(32, 32),
        spacing=None,
        overlap=0.25,
        multiple=1,
        classes={1: "tumour"},
        decide="argmax",
        trained_with={"target": "tumour"},
        format="onnx",
        version="1",
    )
