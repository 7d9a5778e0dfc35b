"""The lines in which errors of the input are told."""

import pytest
from monai.bundle import ConfigParser

from medkd.runs.errors import did_you_mean, one_line_errors


class TestDidYouMean:
    def test_names_the_closest_first(self):
        assert did_you_mean("hlfdd", ["kd", "hlfd", "hlfd_dkd"]) == "did you mean hlfd or hlfd_dkd?"

    def test_prefix_does_not_make_names_similar(self):
        assert did_you_mean("q", ["w"], prefix="--") == ""
        assert did_you_mean("modle", ["model"], prefix="--") == "did you mean --model?"

    def test_count_limits_the_names(self):
        assert did_you_mean("hlfdd", ["hlfd", "hlfd_dkd"], count=1) == "did you mean hlfd?"


def test_error_of_a_worker_is_found_in_its_trace():
    lines = [
        "Caught RuntimeError in DataLoader worker process 0.",
        "ValueError: c1: truncated",
        "",
        "RuntimeError: applying",
    ]
    trace = "\n".join(lines)
    assert one_line_errors(RuntimeError(trace)) == "c1: truncated"


def test_deepest_input_error_is_printed():
    try:
        try:
            try:
                raise KeyError("inner detail")
            except KeyError as error:
                raise ValueError("case_1.nii.gz:\n  not readable") from error
        except ValueError as error:
            raise RuntimeError("Failed to instantiate ...") from error
    except RuntimeError as error:
        assert one_line_errors(error) == "case_1.nii.gz: not readable"
    assert one_line_errors(RuntimeError("a defect of ours keeps its trace")) is None


def test_component_with_wrong_arguments_is_named():
    parser = ConfigParser({"a": {"_target_": "medkd.networks.TappedNetwork", "network": 3}})
    with pytest.raises(RuntimeError) as caught:
        parser.get_parsed_content("a")
    assert one_line_errors(caught.value).startswith("medkd.networks.TappedNetwork: ")
    assert "missing 1 required positional argument: 'encoder'" in one_line_errors(caught.value)
