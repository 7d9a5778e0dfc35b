"""Arguments of classes and functions, from their source files."""

import inspect

import pytest

from medkd.cli.signatures import argument_names, find_definition


@pytest.mark.parametrize(
    "target",
    [
        "medkd.networks.UNet",
        "medkd.engines.DistillationTrainer",
        "medkd.visuals.plot_comparison",
        "monai.transforms.ScaleIntensityRanged",
        "monai.losses.DiceCELoss",
        "monai.engines.SupervisedEvaluator",
        "torch.optim.Adam",
        "torch.optim.lr_scheduler.CosineAnnealingLR",
    ],
)
def test_sources_tell_what_an_import_would(target):
    module, _, name = target.rpartition(".")
    component = getattr(__import__(module, fromlist=[name]), name)
    assert find_definition(module, name) is not None
    parameters = inspect.signature(component).parameters.values()
    assert {p.name for p in parameters if p.kind != p.VAR_KEYWORD} <= argument_names(target)


def test_base_classes_add_theirs():
    assert {"clip_norm", "optim_set_to_none", "max_epochs"} <= argument_names("medkd.engines.DistillationTrainer")


def test_names_that_do_not_exist_have_none():
    assert argument_names("medkd.networks.Nothing") == argument_names("nowhere.at.all") == frozenset()
