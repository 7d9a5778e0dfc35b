"""Options of a preparation are the arguments of its function."""

import inspect
from importlib import import_module

import pytest

from medkd.cli.prepare_options import prepare_options
from medkd.configs.bundles import tasks


@pytest.mark.parametrize("task", tasks())
def test_options_equal_the_signature(task):
    parameters = inspect.signature(import_module(f"medkd.data_prep.{task}").prepare).parameters
    options = {option.name: option for option in prepare_options(task)}
    assert list(options) == ["dataset_dir" if name == "target" else name for name in parameters]
    for name, parameter in parameters.items():
        option = options["dataset_dir" if name == "target" else name]
        if parameter.default is parameter.empty or name == "target":
            assert option.default is ...
        elif not str(option.default).startswith("$"):
            assert option.default == parameter.default
        assert option.help, name


def test_unknown_task_is_told():
    with pytest.raises(ValueError, match="no function medkd.data_prep.nothing.prepare"):
        prepare_options("nothing")
