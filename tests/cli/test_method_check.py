"""Options and methods of a plan's rows."""

import subprocess
import sys

import pytest

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
        ({"max_epoch": 1}, {}, "did you mean --max_epochs"),
        ({"config_file": "a"}, {}, "--config_file: the verb and the task choose"),
        ({"method": "hlfd"}, {"soft_labels": "cached"}, "which --soft_labels cached does not keep"),
        ({"patch_size": [8, 8, 8]}, {}, "has no effect with --mode 2d"),
    ],
)
def test_rows_that_are_refused(options, settings, message):
    with pytest.raises(ValueError, match=message):
        check_run_options("distill", "kits19", options, **settings)


def test_rows_are_checked_without_torch():
    code = "import sys; from medkd.cli.method_check import check_run_options as c; c('distill', 'lits', {'method': 'plckd'}); "
    subprocess.run([sys.executable, "-c", code + "assert not {'torch', 'monai'} & set(sys.modules)"], check=True)
