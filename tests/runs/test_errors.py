"""The lines in which errors of the input are told."""

from medkd.runs.errors import did_you_mean


class TestDidYouMean:
    def test_names_the_closest_first(self):
        assert did_you_mean("hlfdd", ["kd", "hlfd", "hlfd_dkd"]) == "did you mean hlfd or hlfd_dkd?"

    def test_prefix_does_not_make_names_similar(self):
        assert did_you_mean("q", ["w"], prefix="--") == ""
        assert did_you_mean("modle", ["model"], prefix="--") == "did you mean --model?"

    def test_count_limits_the_names(self):
        assert did_you_mean("hlfdd", ["hlfd", "hlfd_dkd"], count=1) == "did you mean hlfd?"
