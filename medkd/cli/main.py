"""The `medkd` command: print the ``monai.bundle run`` command that it stands for, then run it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from medkd.runs.errors import UsageError, one_line_errors
from medkd.runs.signals import EXIT_CODE, Terminated, raise_on_sigterm
from medkd.startup import let_threads_sleep

from .exported import infer_exported, names_onnx

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the words after ``medkd``; None: those of this process.

    Returns:
        The exit code: 0; 2 after one line on what is wrong in the command line itself, whatever the files hold: a verb, an
        option or a value that does not exist, or one that is missing; 1 after one line on anything else; 130 when
        interrupted; 141 when nobody reads the output any more; 143 when terminated. With ``MEDKD_TRACEBACK=1`` errors are
        raised instead.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    continues = words[:1] in (["experiment"], ["infer"])  # where it was
    hint = "the same command continues" if continues else "a training that has begun continues with --resume True"
    let_threads_sleep()
    try:
        with raise_on_sigterm():
            _run(words)
            sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"medkd: interrupted; {hint}", file=sys.stderr)
        return 130
    except Terminated as error:
        print(f"medkd: error: {Terminated(hint) if continues else error}", file=sys.stderr)
        return EXIT_CODE
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _is_output_closed():
            return 128 + 13  # as a process that SIGPIPE ended
        message = None if os.environ.get("MEDKD_TRACEBACK") else _message(error, words)
        if message is None or _has_joined_others():
            raise
        if os.environ.get("RANK", "0") == "0":  # before processes know each other, all of them meet the same errors
            print(f"medkd: error: {message}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


def _run(words: list[str]) -> None:
    if words[:1] == ["infer"] and names_onnx(words[1:]):
        infer_exported(words[1:])
        return
    from .dispatch import run_words  # imports PyYAML, which inference with an exported network does not need

    run_words(words)


def _has_joined_others() -> bool:
    """Return whether this is one of several processes, which print an error once: `medkd.parallel.start` sees to it."""
    return "WORLD_SIZE" in os.environ and sys.excepthook is not sys.__excepthook__


def _is_output_closed() -> bool:
    """Return whether nobody reads the output any more, as after ``medkd methods | head -1``; then discard the rest of it."""
    try:
        print(flush=True)
    except BrokenPipeError:
        # else Python reports the same error once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False  # the pipe of a worker process


def _message(error: Exception, words: list[str]) -> str | None:
    if isinstance(error, ModuleNotFoundError) and error.name is None:  # MONAI's, of a class that does not exist
        return str(error).splitlines()[0]
    if isinstance(error, ModuleNotFoundError):
        if str(error.name).startswith("medkd"):
            return None
        return f"{error.name} is not installed: pip install -e . in the clone of medkd"
    if words[:1] == ["prepare"] and one_line_errors(error) is not None:
        return str(error)  # as it is: it may list several refused cases
    return one_line_errors(error)


if __name__ == "__main__":
    sys.exit(main())
