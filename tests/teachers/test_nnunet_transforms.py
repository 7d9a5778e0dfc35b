"""Normalizations that nnU-Net's plans state."""

import pytest

from medkd.teachers.nnunet_folder import read_nnunet
from medkd.teachers.scalings import Linear, RescaleTo01, ZScore

from .nnunet_builders import edit_json


@pytest.mark.parametrize(
    ("scheme", "scaling"),
    [
        ("ZScoreNormalization", ZScore()),
        ("RescaleTo01Normalization", RescaleTo01()),
        ("NoNormalization", Linear()),
        ("TheirOwn", None),
    ],
)
def test_normalizations(nnunet_model, tmp_path, scheme, scaling):
    nnunet_model(tmp_path / "model", scheme=scheme)
    assert read_nnunet(tmp_path / "model").scalings == [scaling]


def test_a_normalization_within_a_mask_is_not_known(nnunet_model, tmp_path):
    nnunet_model(tmp_path / "model", scheme="ZScoreNormalization")
    edit_json(tmp_path / "model/plans.json", lambda p: p["configurations"]["model"].update(use_mask_for_norm=[True]))
    assert read_nnunet(tmp_path / "model").scalings == [None]
