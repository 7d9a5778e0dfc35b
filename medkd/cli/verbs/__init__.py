"""The verbs of the command line, one module each. Importing them imports neither torch nor MONAI."""

from ..verb import Verb
from . import demo, distill, evaluate, experiment, export, figures, infer, layers, methods, pack, prepare, report, train

__all__ = ["VERBS"]

_MODULES = (
    *(prepare, train, distill, evaluate, infer, export, pack),
    *(figures, report, experiment, methods, layers, demo),
)
VERBS: dict[str, Verb] = {module.VERB.name: module.VERB for module in _MODULES}
