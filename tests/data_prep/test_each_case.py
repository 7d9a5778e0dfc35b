"""One function for each case: results in order and plain errors, the same with one process and with several."""

import errno
import os
from pathlib import Path

import pytest

from medkd.data_prep._cases import CaseFiles
from medkd.data_prep._each_case import check_workers, each_case

FILES = {f"case_{number}": CaseFiles((Path(f"{number}.png"),), Path("mask.png")) for number in range(20)}


class OddError(ValueError):
    """An error that cannot be rebuilt from its arguments."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def read(case, files):
    if case == "case_3":
        raise OddError("one", "two")
    if case == "case_7":
        raise FileNotFoundError(2, "no such file", str(files.images[0]))
    return f"{case} of {files.images[0]}", os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_and_errors_come_in_order(workers):
    results = each_case(read, FILES, workers, "read")
    assert list(results) == list(FILES)
    odd, missing = results.pop("case_3"), results.pop("case_7")
    assert type(odd) is ValueError and str(odd) == "one and two"
    assert type(missing) is FileNotFoundError and missing.errno == 2 and "7.png" in str(missing)
    assert [text for text, _ in results.values()] == [f"{case} of {FILES[case].images[0]}" for case in results]
    # one of the two may be faster and do all
    assert (os.getpid() in {process for _, process in results.values()}) == (workers == 1)


def is_missing(error):
    return error.errno == errno.ENOENT


def end_process(case, files):
    os._exit(9)


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_that_stop(workers):
    with pytest.raises(FileNotFoundError, match="7.png"):
        each_case(read, FILES, workers, "read", is_missing)


def test_a_process_that_the_system_ends():
    with pytest.raises(MemoryError, match="--workers 2: a process was ended"):
        each_case(end_process, FILES, 2, "read")


def test_few_cases_start_no_process():
    few = dict(list(FILES.items())[4:7])
    assert {process for _, process in each_case(read, few, None, "read").values()} == {os.getpid()}


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True])
def test_workers_that_are_no_number_of_processes(workers):
    with pytest.raises(ValueError, match="--workers: found .*expected the number of processes"):
        check_workers(workers)
