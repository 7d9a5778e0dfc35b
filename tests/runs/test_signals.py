"""SIGTERM becomes an error."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from medkd.runs.signals import Terminated, catch_sigterm, raise_on_sigterm
from medkd.startup import defer_signals, import_at_rest


@pytest.fixture(autouse=True)
def default():
    """SIGTERM and Ctrl-C as Python starts with them, and as they were before: Ctrl-C is ignored in the background."""
    usual = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_text_says_how_to_go_on():
    assert str(Terminated()) == "stopped by SIGTERM: a training that has begun goes on with --resume True"
    assert str(Terminated("wait")) == "stopped by SIGTERM: wait"


def test_within_the_context_alone():
    with pytest.raises(Terminated), raise_on_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_error_of_the_caller_comes_first():
    catch_sigterm()
    outer = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ConnectionError, match="lost"), raise_on_sigterm(lambda: ConnectionError("lost")):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is outer


def test_another_handler_stays():
    received = []
    signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    with raise_on_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)
    assert received == [signal.SIGTERM]


def test_other_threads_set_no_handler():
    thread = threading.Thread(target=catch_sigterm)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_worker_ends_by_the_signal():
    code = """import os, signal
from medkd.runs.signals import catch_sigterm
catch_sigterm()
worker = os.fork()
if worker == 0:
    os.kill(os.getpid(), signal.SIGTERM)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == f"{-signal.SIGTERM}\n"


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)], ids=["SIGTERM", "Ctrl-C"]
)
def test_signals_wait_for_the_end_of_an_import(number, error):
    went_on = []
    with raise_on_sigterm():
        with pytest.raises(error), defer_signals():
            os.kill(os.getpid(), number)
            went_on.append(True)
        assert went_on
        with pytest.raises(error):  # the handler is back
            os.kill(os.getpid(), number)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_error_of_an_import_is_that_which_is_raised():
    with raise_on_sigterm(), pytest.raises(ImportError), defer_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        raise ImportError


def test_a_signal_waits_for_an_import_at_rest(tmp_path, monkeypatch):
    (tmp_path / "signalled.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nis_whole = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    with raise_on_sigterm(), pytest.raises(Terminated):
        import_at_rest("signalled")
    assert sys.modules.pop("signalled").is_whole
