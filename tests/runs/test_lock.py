"""One process at a time writes into a folder; what dead processes left half-written there is removed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from medkd.runs import lock as module
from medkd.runs.lock import FolderLock, clean_partial, release_locks

HOLD = (
    "import sys; from medkd.runs.lock import FolderLock; FolderLock(sys.argv[1]).acquire(); print(flush=True); input()"
)
FORK = """import os, sys, time
from medkd.runs.lock import FolderLock
FolderLock(sys.argv[1]).acquire()
if not os.fork():  # the worker speaks: by then it has closed what it inherited
    print(os.getpid(), flush=True)
time.sleep(60)"""
DEAD = 2**30  # no process has such a number


@pytest.fixture(params=["folder", "file"], autouse=True)
def way(request, monkeypatch):
    """Both ways of locking: the folder itself, and the file in it that Windows needs."""
    monkeypatch.setattr(module, "LOCKS_FOLDER", request.param == "folder")
    yield request.param
    release_locks()


@pytest.fixture
def other(tmp_path, way):
    """Another process that has locked ``tmp_path``."""
    code = f"from medkd.runs import lock; lock.LOCKS_FOLDER = {way == 'folder'}; {HOLD}"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


class TestTwoProcesses:
    def test_second_one_is_refused(self, tmp_path, other):
        lock = FolderLock(tmp_path)
        message = f"output_dir {tmp_path}: another run is writing into it: choose another folder"
        with pytest.raises(FileExistsError, match=message):
            lock.acquire()
        assert lock.is_locked()

    def test_a_killed_process_leaves_no_lock(self, tmp_path, other):
        other.send_signal(signal.SIGKILL)
        other.wait()
        lock = FolderLock(tmp_path)
        assert not lock.is_locked()
        lock.acquire()

    def test_waiting_for_the_other(self, tmp_path, other):
        other.stdin.write("\n")
        other.stdin.close()
        with FolderLock(tmp_path, wait=True):
            assert other.wait() == 0

    def test_partial_folder_of_a_living_process_stays(self, tmp_path, other):
        clean_partial(tmp_path.parent, tmp_path.name)
        assert tmp_path.is_dir()


class TestOneProcess:
    def test_a_second_lock_is_the_same(self, tmp_path):
        first, second = FolderLock(tmp_path / "new"), FolderLock(tmp_path / "new")
        first.acquire()
        with second:
            pass
        assert second.folder.resolve() in module._descriptors  # the context releases only what it acquired
        assert not first.is_locked()  # by another process
        second.release()
        assert not module._descriptors

    def test_nothing_stays_behind(self, tmp_path):
        with FolderLock(tmp_path):
            (tmp_path / "result").touch()
        assert names(tmp_path) == ["result"]
        assert not FolderLock(tmp_path / "nowhere").is_locked()
        assert names(tmp_path) == ["result"]

    def test_a_moved_folder_is_free(self, tmp_path):
        lock = FolderLock(tmp_path / "partial")
        lock.acquire()
        (tmp_path / "partial/result").touch()
        lock.move(tmp_path / "target")
        lock.release()
        assert names(tmp_path) == ["result", "target"]
        assert not module._descriptors and not FolderLock(tmp_path / "target").is_locked()

    def test_file_system_without_locks(self, tmp_path, monkeypatch):
        def missing(descriptor: int, blocking: bool) -> bool:
            raise OSError("no locks")

        monkeypatch.setattr("filelock.lock_descriptor", missing)
        lock = FolderLock(tmp_path / "new")
        lock.acquire()
        assert (tmp_path / "new").is_dir() and not lock.is_locked() and lock.descriptors == ()
        clean_partial(tmp_path, "new")
        assert (tmp_path / "new").is_dir()  # it may be another process's


class TestHalfWrittenFiles:
    def test_those_of_dead_processes_are_removed(self, tmp_path):
        for name in (f".partial-{DEAD}-model.pt", f"predictions/.partial-{DEAD}-c.nii.gz", "predictions/c.nii.gz"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("half")
        with FolderLock(tmp_path):
            pass
        assert names(tmp_path) == ["c.nii.gz", "predictions"]

    def test_those_of_living_processes_and_of_other_tools_stay(self, tmp_path):
        file = tmp_path / "evaluation" / f".partial-{os.getppid()}-c.nii.gz"
        file.parent.mkdir()
        file.write_text("half")
        (tmp_path / ".partial-3x_abcde/student").mkdir(parents=True)
        (tmp_path / f".partial-{DEAD}-4").mkdir()
        with FolderLock(tmp_path):
            pass
        assert names(tmp_path) == sorted([file.name, ".partial-3x_abcde", "evaluation", "student"])

    def test_partial_folders_of_dead_processes_are_removed(self, tmp_path):
        (tmp_path / ".data.partial-7/imagesTr").mkdir(parents=True)
        (tmp_path / "data").mkdir()
        clean_partial(tmp_path, ".data.partial-*")
        assert names(tmp_path) == ["data"]


@pytest.mark.skipif(os.name == "nt", reason="Windows neither forks nor hands on descriptors")
class TestChildren:
    def test_a_worker_does_not_keep_the_folder_of_a_killed_run(self, tmp_path, way):
        code = f"from medkd.runs import lock; lock.LOCKS_FOLDER = {way == 'folder'}\n{FORK}"
        run = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert run.stdout is not None
        worker = int(run.stdout.readline())
        with pytest.raises(FileExistsError, match="another run is writing into it"):
            FolderLock(tmp_path).acquire()
        run.kill()
        run.wait()
        try:
            FolderLock(tmp_path).acquire()
        finally:
            os.kill(worker, signal.SIGKILL)

    def test_a_child_holds_what_is_handed_to_it(self, tmp_path, way):
        if way == "file":
            return
        lock = FolderLock(tmp_path)
        lock.acquire()
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=lock.descriptors)
        lock.release()
        assert lock.is_locked()
        child.communicate(b"\n")
        assert not lock.is_locked()


@pytest.mark.skipif(os.name == "nt", reason="modes do not count on Windows")
def test_folder_that_cannot_be_written(tmp_path, way, ordinary_user):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    with ordinary_user():
        lock = FolderLock(folder)
        lock.acquire()
        assert len(lock.descriptors) == (way == "folder")
    assert names(folder) == []
