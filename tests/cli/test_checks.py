"""Which options a run may have, and what is told of the others."""

import inspect

import pytest
from monai.bundle import run as monai_run

from medkd.cli.checks import (
    MONAI_OPTIONS,
    check_no_files,
    check_options,
    check_positionals,
    check_required,
    unknown_message,
    unknown_options,
)
from medkd.configs.bundles import all_config_files
from medkd.configs.merge import merge_files
from medkd.configs.table import ID_OPTIONS

CONFIG = {
    "max_epochs": 120,
    "amp": "$torch.cuda.is_available()",
    "method": "none",
    "output_dir": "$@bundle_root",
    "image_size": [512, 512],
    "patience": None,
    "method_args": {},
    "train": {"trainer": {"_target_": "medkd.engines.DistillationTrainer", "amp": "@amp"}},
}


def test_options_of_monai_are_those_of_its_function():
    assert MONAI_OPTIONS == set(inspect.signature(monai_run).parameters) - {"override"}


@pytest.mark.parametrize(
    "options",
    [
        {"max_epochs": 3},
        {"method": "none"},
        {"method_args::anything": 1},
        {"train::trainer::clip_norm": 2},
        {"train::trainer::optim_set_to_none": True},  # an argument of MONAI's trainer
        {"config_file": "x", "meta_file": "y"},
    ],
)
def test_known_options_pass(options):
    check_options(options, CONFIG)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_epoch": 3}, r"unknown option\(s\): --max_epoch \(did you mean --max_epochs\?\)"),
        ({"train::trainer::amq": 1}, r"--train::trainer::amq \(did you mean --train::trainer::amp"),
        ({"train::batch": 1, "qqq": 2}, r"--train::batch.*; --qqq"),
        ({"dicom_seg": "binary"}, r"--dicom_seg \(an option for volumes, this task has pictures\)"),
        ({"input": "x"}, r"--input \(an option of other tasks or commands\)"),
        ({"amp": "maybe"}, "--amp: found 'maybe', expected True, False or auto"),
        ({"max_epochs": None}, "--max_epochs: found None, expected a whole number from 1 on"),
        ({"output_dir": 202401}, "--output_dir: found 202401, expected a path: write ./202401"),
        ({"image_size": 32}, r"--image_size: found 32, expected a list such as \[64,64\]"),
        ({"patience": "ten"}, "--patience: found 'ten', expected a number"),
        ({"train::trainer::supervised": 1}, "unknown option"),
        ({"max_epochs": "ten"}, "--max_epochs: found 'ten', expected a whole number from 1 on"),
        ({"mode": "3d"}, "unknown option"),
    ],
)
def test_unknown_options_and_values_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        check_options(options, CONFIG)


def test_options_of_the_other_mode_have_no_effect():
    for mode, name in (("2d", "patch_size"), ("2d", "spacing"), ("3d", "slice_batch")):
        with pytest.raises(ValueError, match=f"--{name}: has no effect with --mode {mode}"):
            check_options({name: 1}, {"mode": mode, name: 1})


def test_all_missing_options_are_told_at_once():
    with pytest.raises(ValueError, match=r"^medkd train kits19 needs --dataset_dir, --output_dir$"):
        check_required("train kits19", {"seed": 1}, ("dataset_dir", "output_dir"))
    with pytest.raises(ValueError, match=r"^unknown option\(s\): --sed; --b; medkd train needs --seed$"):
        check_required("train", {"a": 1}, ("a", "seed"), lambda: ["--sed", "--b"])
    check_required("train", {"a": 1, "b": 2}, ("a",), lambda: pytest.fail("looked for a misspelling"))


def test_unknown_options_have_hints():
    options = ("max_epoch", "seed", "spacing", "config_file", "train::trainer::amp")
    config = {**CONFIG, "seed": 0, "mode": "2d"}  # spacing has no effect in slices, but it is known
    assert unknown_options(options, config) == ["--max_epoch (did you mean --max_epochs?)"]
    assert unknown_options(("spacing",), CONFIG) == ["--spacing (an option for volumes, this task has pictures)"]
    of_pictures = unknown_options(("cache_rate",), {**CONFIG, "spacing": None})
    assert of_pictures == ["--cache_rate (an option for pictures, this task has volumes)"]
    assert unknown_message([]) == "" and unknown_message(["--a", "--b"]) == "unknown option(s): --a; --b"


@pytest.mark.parametrize("name", ["config_file", "args_file"])
def test_files_of_monai_are_refused(name):
    check_no_files(["meta_file", "seed"])
    with pytest.raises(ValueError, match=f"--{name}: .*--overlay FILE"):
        check_no_files(["seed", name])


def test_positional_arguments_are_refused():
    check_positionals([])
    with pytest.raises(ValueError, match=r"unexpected positional argument\(s\) a b: options are written --name value"):
        check_positionals(["a", "b"])


@pytest.mark.parametrize("mode", [None, "2d"])
def test_axes_of_flips_are_those_of_the_mode(mode):
    config = {"flip_axes": ["rows"], **({"mode": mode} if mode else {})}
    check_options({"flip_axes": ["rows", "columns"]}, config)
    check_options({"flip_axes": ["slices"]}, {**config, "mode": "3d"})
    for value in ("slices", ["rows", "slices"]):
        with pytest.raises(
            ValueError, match=r"--flip_axes: found .*slices.*, expected one or several of rows, columns, or"
        ):
            check_options({"flip_axes": value}, config)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"image_size": [32, 32], "patch_size": [16, 32, 32]},
            r"--image_size: found \[32, 32\] beside --patch_size \[16,",
        ),
        ({"image_size": [32, 32]}, r"--image_size: found \[32, 32\], expected --patch_size SLICES ROWS COLUMNS"),
    ],
)
def test_the_size_of_slices_is_not_that_of_patches(options, message):
    config = {"mode": "3d", "image_size": "@patch_size", "patch_size": [16, 32, 32]}
    with pytest.raises(ValueError, match=message):
        check_options(options, config)
    check_options({"image_size": [16, 64, 64], "patch_size": [16, 64, 64]}, config)
    check_options({"image_size": [16, 64, 64]}, config)


def test_options_for_volumes_or_pictures_alone_are_those_of_their_configurations():
    ids = {True: set(), False: set()}
    for file in all_config_files("train") | all_config_files("infer"):
        if file.parent.name == "configs":
            config = merge_files([file])
            ids["spacing" in config] |= set(config)
    ids[True] |= {"window_batch", "overlap", "patches_per_case", "positive"}  # of the overlays for volumes
    for option in ID_OPTIONS.values():
        if option.images:
            assert (option.name in ids[True], option.name in ids[False]) == (
                option.images == "volumes",
                option.images == "pictures",
            )


def test_a_class_that_lacks_an_argument_of_the_configuration_is_refused():
    optimizer = {"_target_": "torch.optim.Adam", "params": "@parameters", "lr": "@learning_rate", "fused": None}
    for target in ("torch.optim.AdamW", "torch.optim.SGD"):
        check_options({"optimizer::_target_": target}, {"optimizer": optimizer})
    for target, words in {
        "torch.optim.RMSprop": "fused",
        "torch.optim.LBFGS": "fused",
        "torch.optim.Rprop": "fused",
    }.items():
        message = f"--optimizer::_target_: {target} takes no {words}, which the configuration gives: .* --optimizer "
        with pytest.raises(ValueError, match=message):
            check_options({"optimizer::_target_": target}, {"optimizer": optimizer})
    # what it advises is taken
    whole = {"_target_": "torch.optim.RMSprop", "params": "@parameters", "lr": "@learning_rate"}
    check_options({"optimizer": whole}, {"optimizer": optimizer})
    # a class that passes arguments on is not judged
    check_options({"loss::_target_": "monai.losses.DiceCELoss"}, {"loss": {"_target_": "a.B", "reduction": "mean"}})
