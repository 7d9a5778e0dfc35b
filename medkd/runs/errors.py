"""Format errors that the input caused as one line on the console."""

from __future__ import annotations

import errno
import os
import re
import sys
import zlib
from collections.abc import Iterable
from difflib import get_close_matches
from types import TracebackType

from .signals import Terminated

__all__ = ["ALL_BACKGROUND", "UsageError", "counted", "did_you_mean", "one_line_errors", "print_one_line", "rounded"]

# Inference with and without torch ends with this line where it holds: the likely cause is another kind of image.
ALL_BACKGROUND = "note: all is background in every prediction: is it the right model for these images?"
# Raised by medkd's checks, by readers of broken files (the last two for an impossible size), and by the file system.
_INPUT_ERRORS = (ValueError, OSError, EOFError, zlib.error, MemoryError, OverflowError)
_WORKER = re.compile(r"^(?:ValueError|EOFError|OSError|FileNotFoundError|zlib\.error): (.+)$", re.MULTILINE)
_ALLOCATION = re.compile(
    r"can't allocate memory: you tried to allocate \d+ bytes|Storage size calculation overflowed|numel: .*overflow"
)
_READERS = "cannot find a suitable reader for file"
_COMPONENT = re.compile(r"^Failed to instantiate component '([\w.]+)'")


class UsageError(ValueError):
    """A command line that is wrong in itself, whatever files and data hold: the process ends with code 2, not 1."""


def counted(number: int, noun: str) -> str:
    """Return a number and a noun, the noun in the plural unless the number is one.

    Example:
        >>> counted(1, "case"), counted(2, "case"), counted(0, "class")
        ('1 case', '2 cases', '0 classes')
    """
    plural = f"{noun}es" if noun.endswith(("s", "x", "ch")) else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def rounded(number: float, digits: int = 3) -> str:
    """Return a number with so many significant digits, and without a power of ten where it is large.

    Example:
        >>> rounded(0.123456), rounded(20.0), rounded(999.7), rounded(1234.5678)
        ('0.123', '20', '1000', '1235')
    """
    text = f"{number:.{digits}g}"
    return f"{number:.0f}" if "e+" in text else text


def did_you_mean(name: str, options: Iterable[str], count: int = 3, prefix: str = "", cutoff: float = 0.6) -> str:
    """Return a question that names the options closest to a misspelt name.

    Args:
        name: what was written, without the prefix.
        options: the valid names, without the prefix.
        count: how many are named at most, the closest first.
        prefix: stands before each name, such as ``--``.
        cutoff: how similar an option must be, from 0 to 1.

    Returns:
        A question such as ``did you mean --window?``; an empty text if no option is close.

    Example:
        >>> did_you_mean("windw", ["window", "target"], prefix="--")
        'did you mean --window?'
        >>> did_you_mean("x", ["window", "target"])
        ''
    """
    close = get_close_matches(name, list(options), n=count, cutoff=cutoff)
    return f"did you mean {' or '.join(prefix + option for option in close)}?" if close else ""


def one_line_errors(error: BaseException) -> str | None:
    """Return the message of an error that the input caused, in one line.

    Args:
        error: with the chain of errors that led to it.

    Returns:
        The deepest message of the chain that describes the input; None for an error that the input did not cause.

    Example:
        >>> one_line_errors(ValueError("case_1.nii.gz: not readable"))
        'case_1.nii.gz: not readable'
        >>> one_line_errors(KeyError("a defect")) is None
        True
    """
    message = None
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _INPUT_ERRORS):
            message = str(cause) or f"not readable ({type(cause).__name__})"
            if isinstance(cause, OSError) and cause.errno == errno.ELOOP:
                message = f"{cause.filename}: found a symbolic link that leads to itself, expected a file or folder"
            # Raised on purpose from a reader's error, or by the file system: this message names the file.
            if str(cause) and (cause.__cause__ is not None or getattr(cause, "errno", None)):
                break
        # PyTorch's error of a size that is too large for any machine
        if isinstance(cause, RuntimeError) and (size := _ALLOCATION.search(str(cause))):
            message = f"not enough memory for a network or an image of this size ({size[0]})"
        # MONAI tries other readers after the one that a bundle names. The message of the first one comes first.
        if _READERS in str(cause):
            message = _first_reader(str(cause))
            break
        # A component with a missing or unknown argument: MONAI's message names the component.
        if isinstance(cause.__cause__, TypeError) and (component := _COMPONENT.search(str(cause))):
            message = f"{component[1]}: {cause.__cause__}"
        # A data loader's worker hands over its whole trace as the text of a new error, which has another type.
        if worker_messages := _WORKER.findall(str(cause)):
            message = worker_messages[-1]
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None if message is None else " ".join(message.split())


def _first_reader(text: str) -> str:
    """Return the last line of the first reader's trace, which may consist of several errors raised from each other."""
    traces = re.split(r"\n\n(?=Traceback)", text[text.index("Traceback", text.index(_READERS)) :])
    first = next(trace for trace in traces if not trace.rstrip().endswith("exception:") and ":" in trace)
    line = [line for line in first.splitlines() if re.match(r"[\w.]+: ", line)][-1]
    return line.partition(": ")[2]


def print_one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an error that the input caused in one line; a ``sys.excepthook``.

    The whole trace is printed for any other error, and if the variable MEDKD_TRACEBACK is set. All processes that torchrun
    starts check the same command, so the first one alone prints.
    """
    if os.environ.get("RANK", "0") != "0":
        return
    message = None if os.environ.get("MEDKD_TRACEBACK") else one_line_errors(error)
    if isinstance(error, Terminated):
        message = str(error)
    if message is None:
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"medkd: error: {message}", file=sys.stderr)
