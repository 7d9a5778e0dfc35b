"""A supervised command ends with the process that started it, and so does all that it started, however that process ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from medkd.experiments.supervise import supervised

# a command with a child and a grandchild, as Snakemake has a shell and a training
NESTED = """import subprocess, sys, time
depth = int(sys.argv[1])
if depth:
    subprocess.Popen([sys.executable, "-c", sys.argv[2], str(depth - 1), sys.argv[2], sys.argv[3]])
else:
    open(sys.argv[3], "w").close()
time.sleep(100)"""
OWNER = """import sys
from medkd.experiments.supervise import supervised
with supervised(sys.argv[1:]) as process:
    process.wait()"""


def nested(ready: Path) -> list[str]:
    return [sys.executable, "-c", NESTED, "2", NESTED, str(ready)]


def wait_for(ready: Path) -> None:
    limit = time.monotonic() + 60
    while not ready.exists() and time.monotonic() < limit:
        time.sleep(0.02)
    assert ready.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])  # a closed terminal sends the second one
def test_nothing_outlives_its_owner(number, tmp_path):
    def ignore_interrupt() -> None:  # as a script's background process does
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup would leave it ignored

    words = [sys.executable, "-c", OWNER, *nested(tmp_path / "ready")]
    owner = psutil.Popen(words, stderr=subprocess.DEVNULL, preexec_fn=ignore_interrupt)
    wait_for(tmp_path / "ready")
    children = owner.children(recursive=True)
    assert len(children) == 4  # three and the watcher
    owner.send_signal(number)
    owner.wait(30)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


def test_a_killed_command_leaves_no_children(tmp_path):
    with supervised(nested(tmp_path / "ready")) as process:
        wait_for(tmp_path / "ready")
        children = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL and all(child.is_running() for child in children)
    assert not psutil.wait_procs(children, timeout=5)[1]


def test_a_command_that_ends_by_itself():
    with supervised([sys.executable, "-c", "raise SystemExit(3)"]) as process:
        assert process.wait() == 3


def test_a_command_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError), supervised([str(tmp_path / "none")]):
        pass
