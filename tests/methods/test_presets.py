"""Presets: their arguments and their form."""

import subprocess
import sys
from pathlib import Path

import pytest

from medkd import methods


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("hlfdd", {}, r"unknown method 'hlfdd': did you mean hlfd.*\? expected one of at, cirkd, "),
        ("hlfd", {"betta": 1}, r"method hlfd has no argument 'betta': did you mean beta.*\? it has warmup, "),
        ("pa", {"wieght": 1}, r"method pa has no argument 'wieght': did you mean weight"),
        ("kd", {"temperature": "hot"}, "method kd: temperature: found 'hot', expected a number"),
        ("kd", {"temperature": True}, "method kd: temperature: found True, expected a number"),
        ("cirkd", {"max_nodes": "all"}, "method cirkd: max_nodes: found 'all', expected a number"),
        ("none", {"beta": 1}, "method none has no argument 'beta': it has no arguments"),
        ("pa", {"detach_norm": 1}, "method pa: detach_norm: found 1, expected True or False"),
        ("pa", {"tap": 3}, "method pa: tap: found 3, expected text such as 'penultimate'"),
        ("pa", {"warmup": "long"}, "method pa: warmup: found 'long', expected a number"),
        ("plckd", {"base": "at"}, "method plckd: base: found 'at', expected one of kd, dkd, cwd"),
    ],
)
def test_invalid_arguments_are_refused(name, args, message):
    with pytest.raises(ValueError, match=message):
        methods.check_arguments(name, args)


def test_a_method_with_a_base_takes_the_arguments_of_the_base():
    preset, arguments = methods.resolve_preset("plckd", {"base": "dkd", "beta": 2.0})
    assert list(preset["terms"]) == ["dkd"]
    assert (arguments["beta"], arguments["alpha"], arguments["warmup"]) == (2.0, 1.0, 5)
    with pytest.raises(ValueError, match="method plckd has no argument 'beta'"):
        methods.check_arguments("plckd", {"beta": 2.0})


def test_arguments_are_checked_without_torch():
    code = (
        "import sys; from medkd import methods; from medkd.methods.table import markdown; "
        "markdown(); methods.check_arguments('at', {'p': 4}); methods.check_reads_logits('plckd', {'base': 'cwd'}); "
        "methods.team_arguments('plckd'); assert not {'torch', 'monai'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", methods.names())
def test_presets_are_short_and_name_their_sources(name):
    lines = (Path(methods.__file__).parent / f"{name}.yaml").read_text().splitlines()
    assert len(lines) <= 15
    assert lines[0].startswith("# ")
    assert set(methods.load_preset(name)) - {"team", "base", "choices", "optional", "without_decoder"} == {
        "paper",
        "reads",
        "learns",
        "cost",
        "args",
        "terms",
    }


def test_every_method_but_none_learns_from_a_teacher():
    assert [name for name in methods.names() if not methods.has_terms(name)] == ["none"]
