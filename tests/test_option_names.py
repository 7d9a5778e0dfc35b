"""Messages name an option as it is typed: ``--split``, also to those who call Python or ``monai.bundle run``."""

import ast
import re
from pathlib import Path

import pytest

from medkd.cli.prepare_options import prepare_options
from medkd.cli.verbs import VERBS
from medkd.configs.bundles import tasks
from medkd.configs.table import ID_OPTIONS

ROOT = Path(__file__).parents[1]
# What is named here is the thing, not the option that names its file: "model X was trained with --mode 3d", "method kd: ...".
NOUNS = {"method", "model", "run", "experiment", "task", "mode"}
OPTIONS = {
    *ID_OPTIONS,
    *(option.name for verb in VERBS.values() for option in verb.settings),
    *(option.name for task in tasks() for option in prepare_options(task)),
} - NOUNS
BARE = re.compile(rf"^({'|'.join(sorted(OPTIONS, key=len, reverse=True))})(?=: |=| \{{\}})")


def text_of(node: ast.AST) -> str:
    """The text of a message, with {} in the place of each value."""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def bare_options(source: str) -> list[str]:
    """The messages of raised errors and warnings that begin with the name of an option without its dashes."""
    tree = ast.parse(source)
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)]
    warned = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn"
    ]
    messages = [text_of(call.args[0]) for call in (*raised, *warned) if call.args]
    return [message for message in messages if BARE.match(message)]


def test_the_rule_finds_the_kinds():
    source = (
        'raise ValueError(f"split: found {x}")\nraise OSError(f"output_dir {x}: is a file")\nwarnings.warn("fold=3")'
    )
    assert bare_options(source) == ["split: found {}", "output_dir {}: is a file", "fold=3"]
    assert bare_options('raise ValueError(f"--split: found {x}")\nraise ValueError(f"model {x} is a teacher")') == []


@pytest.mark.parametrize("folder", ["medkd", "data_prep"])
def test_messages_name_options_with_their_dashes(folder):
    found = {str(path): bare_options(path.read_text()) for path in sorted((ROOT / folder).rglob("*.py"))}
    assert {path: messages for path, messages in found.items() if messages} == {}
