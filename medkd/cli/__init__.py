"""The command line of medkd. Importing this package is light; `check_command` is the first step of every bundle."""

from typing import TYPE_CHECKING

from medkd.startup import lazy_names

if TYPE_CHECKING:
    from .estimate import measure_steps
    from .first_step import check_command, given_options

__all__ = ["check_command", "given_options", "measure_steps"]

# inference with an exported network imports this package where PyYAML may not be installed
__getattr__ = lazy_names(__name__, __file__)
