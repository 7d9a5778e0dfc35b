"""Snakemake as a child process: its options and its lock, without running it."""

import platform

import pytest

from medkd.experiments.snakemake import check_arguments, check_lock

pytest.importorskip("snakemake", reason="the workflow extra is not installed")


def test_options_of_snakemake_are_accepted():
    check_arguments(["--dry-run", "--jobs", "4"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sedes", "1"], r"unrecognized arguments: --sedes.* \(did you mean --seeds\?\)"),
        (["--executor", "slrm"], "invalid choice: 'slrm'"),
        (["--dry-run", "True"], "found True, expected options alone"),
    ],
)
def test_other_options_are_refused_in_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        check_arguments(arguments)
    assert "\n" not in str(error.value)


def test_only_the_machine_that_locked_a_folder_may_go_on(tmp_path):
    check_lock(tmp_path, [], "another")  # no lock
    lock = tmp_path / ".snakemake/locks/0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    check_lock(tmp_path, [], platform.node())
    check_lock(tmp_path, ["--unlock"], "another")
    with pytest.raises(FileExistsError, match="Snakemake has locked it on another"):
        check_lock(tmp_path, [], "another")
