"""Options and methods of a plan's rows."""

import json
import subprocess
import sys

import pytest

from medkd.cli.data_set import count_cases
from medkd.cli.method_check import check_run_options


def test_rows_that_pass():
    check_run_options(
        "distill", "kits19", {"method": "kd", "method_args::weight": 1, "max_epochs": 2, "patience": None}
    )
    check_run_options("train", "isic2018", {"teacher_width": 8}, role="teacher")
    check_run_options("distill", "lits", {"method": "kd", "patch_size": [8, 8, 8]}, mode="3d")


@pytest.mark.parametrize(
    ("options", "settings", "message"),
    [
        ({"method_args::wieght": 1}, {}, "method recommended has no argument 'wieght': did you mean weight"),
        ({"method_args": {"wieght": 1}}, {}, "method recommended has no argument 'wieght'"),
        ({"method_args": 3}, {}, "--method_args: found 3, expected names and values"),
        ({"method": "kdd"}, {}, "unknown method 'kdd'"),
        (
            {"method": "hlfd", "method_args::late": "finale"},
            {},
            "late: found 'finale', did you mean final. expected one of",
        ),
        (
            {"method": "hlfd", "method_args::terms": ["ufd", "udp"]},
            {},
            "terms: found 'udp', .*one of ufd, ifd, upd, ipd",
        ),
        ({"method": "hifd", "method_args::weighting": "even"}, {}, "weighting: found 'even', expected one of adaptive"),
        ({"method": "skd", "method_args::mode": "wgan"}, {}, "mode: found 'wgan', did you mean wgan-gp"),
        ({"max_epoch": 1}, {}, "did you mean --max_epochs"),
        ({"config_file": "a"}, {}, "--config_file: the verb and the task choose"),
        ({"method": "hlfd"}, {"soft_labels": "cached"}, "which --soft_labels cached does not keep"),
        ({"patch_size": [8, 8, 8]}, {}, "has no effect with --mode 2d"),
    ],
)
def test_rows_that_are_refused(options, settings, message):
    with pytest.raises(ValueError, match=message):
        check_run_options("distill", "kits19", options, **settings)


@pytest.mark.parametrize(
    ("options", "lists", "counts"),
    [
        ({}, {}, {"labelled": 4, "unlabelled": 0}),
        ({"training_cases": 3}, {"unlabelled": [{}]}, {"labelled": 3, "unlabelled": 1}),
        ({"training_cases": 3, "unlabelled": "rest"}, {"unlabelled": [{}]}, {"labelled": 3, "unlabelled": 1}),
        ({"training_cases": 0, "unlabelled": "all"}, {"unlabelled": [{}]}, {"labelled": 0, "unlabelled": 5}),
        ({"training_cases": "$None", "unlabelled": "none"}, {"unlabelled": [{}]}, {"labelled": 4, "unlabelled": 0}),
        ({"training_cases": "$1 + 1"}, {}, None),
        ({}, {"training": 7}, {"labelled": 0, "unlabelled": 0}),
        ({"dataset_dir": "gone"}, {}, None),
    ],
)
def test_pseudo_is_refused_where_the_data_list_has_no_image_for_it(tmp_path, options, lists, counts):
    (tmp_path / "datalist.json").write_text(json.dumps({"training": [{}] * 4, **lists}))
    options = {"dataset_dir": str(tmp_path), "method": "pseudo", **options}
    config = {"training_cases": None, "unlabelled": "data"}
    assert count_cases(options, config) == counts
    if counts and not counts["unlabelled"]:
        with pytest.raises(ValueError, match="method pseudo: found no unlabelled images"):
            check_run_options("distill", "isic2018", options)
        check_run_options("distill", "isic2018", {**options, "method_args::labelled": True})
    elif "$" not in str(options.get("training_cases")):
        check_run_options("distill", "isic2018", options)


def test_rows_are_checked_without_torch():
    code = "import sys; from medkd.cli.method_check import check_run_options as c; c('distill', 'lits', {'method': 'plckd'}); "
    subprocess.run([sys.executable, "-c", code + "assert not {'torch', 'monai'} & set(sys.modules)"], check=True)
