"""The table of methods: README's names, the command, and the learnable parts that it names."""

from pathlib import Path

import pytest

from medkd import methods
from medkd.cli.main import main
from medkd.methods.table import markdown
from medkd.networks import FeatureTaps, UNet, UNetPlusPlus


@pytest.fixture(scope="module")
def pair():
    networks = UNet(2, 3, 2, width=2), UNetPlusPlus(2, 3, 2, width=4, deep_supervision=True)
    return [FeatureTaps(network, **network.default_taps()) for network in networks]


@pytest.mark.filterwarnings("ignore:DKDLoss")
@pytest.mark.parametrize("name", methods.names())
def test_learns_names_the_learnable_parts_of_the_loss(name, pair):
    loss = methods.build(name, None, *pair)
    # "hint.regressor.weight" is a parameter of the part "regressor" of the term "hint"
    parts = {path.split(".")[1] for path, _ in loss.losses.named_parameters()}
    assert methods.load_preset(name)["learns"] == (", ".join(sorted(parts)) or "-")


def test_readme_names_each_method():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert not [name for name in methods.names() if f"`{name}`" not in readme]


def test_the_command_lists_all_methods(capsys):
    assert main(["methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(any(line.startswith(name + " ") for line in lines) for name in methods.names())
    assert main(["methods", "--markdown"]) == 0
    assert capsys.readouterr().out == markdown() + "\n"
    assert main(["methods", "--markdwn"]) in (1, 2)
