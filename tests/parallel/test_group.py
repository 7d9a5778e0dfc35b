"""What a run of several processes shares, in a run of one process; and the line that it prints when one is lost."""

import os
import signal

import pytest
import torch

from medkd.parallel import group
from medkd.runs.signals import Terminated


@pytest.fixture
def printed(monkeypatch, capfd):
    """What `_print_once` prints of an error."""
    monkeypatch.setattr(group, "_printed", None)

    def read(error: BaseException) -> str:
        group._print_once(type(error), error, None)
        return capfd.readouterr().err

    return read


class TestOneProcess:
    def test_is_the_main_process(self):
        assert (group.processes(), group.rank(), group.is_main_process()) == (1, 0, True)
        assert group.progress_disabled() is None
        group.barrier()
        group.stop()

    def test_has_all_cases(self):
        assert group.shard_indices(3) == range(3)
        assert group.all_gather_object("x") == ["x"]
        assert group.gather_in_order(["a", "b"], 2) == ["a", "b"]

    def test_sigterm_ends_with_the_hint(self):
        with pytest.raises(Terminated, match="stopped by SIGTERM: do this"), group.graceful_shutdown(lambda: "do this"):
            raise Terminated


class TestSeveralProcesses:
    @pytest.fixture(autouse=True)
    def second_of_three(self, monkeypatch):
        monkeypatch.setattr(group, "processes", lambda: 3)
        monkeypatch.setattr(group, "rank", lambda: 1)

    def test_shards(self):
        assert group.shard_indices(8) == range(1, 8, 3)
        assert group.shard_indices(2) == range(2)
        assert group.progress_disabled() is True

    def test_gathered_in_the_order_of_the_cases(self, monkeypatch):
        monkeypatch.setattr(group, "all_gather_object", lambda value: [[0, 3], value, [2]])
        assert group.gather_in_order([1, 4], 5) == [0, 1, 2, 3, 4]

    def test_lost_process_is_one_error(self):
        message = r"a process of this run ended \(process 1 sees: Connection closed by peer\): do this"
        with pytest.raises(ConnectionError, match=message), group.graceful_shutdown(lambda: "do this"):
            raise RuntimeError("Connection closed by peer\nmore")
        with pytest.raises(ConnectionError, match="process 1 sees: SIGTERM"), group.graceful_shutdown(lambda: ""):
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(RuntimeError, match="a defect"), group.graceful_shutdown(lambda: ""):
            raise RuntimeError("a defect")


class TestPrintOnce:
    def test_sigterm_outside_the_training(self, printed):
        line = "medkd: error: stopped by SIGTERM: a training that has begun goes on with --resume True\n"
        assert printed(Terminated()) == line

    def test_process_lost_after_the_training(self, printed):
        assert printed(RuntimeError("gloo: broken pipe\nmore")) == (
            "medkd: error: a process of this run ended (process 0 sees: gloo: broken pipe)\n"
        )

    def test_defect_keeps_its_trace(self, printed):
        assert "RuntimeError: a defect" in printed(RuntimeError("a defect"))

    def test_each_message_once(self, printed, monkeypatch):
        class Store:
            counts: dict[str, int] = {}

            def add(self, key: str, number: int) -> int:
                self.counts[key] = self.counts.get(key, 0) + number
                return self.counts[key]

        monkeypatch.setattr(group, "_printed", Store())
        assert printed(ValueError("wrong (process 0 sees: x)")) != ""
        assert printed(ValueError("wrong (process 1 sees: y)")) == ""


def test_device_of_a_process():
    with pytest.raises(ValueError, match="--device cuda:1: found a GPU's number, expected cuda"):
        group._select_gpu(torch.device("cuda:1"), 0, 2)
    with pytest.raises(ValueError, match="torchrun: found 2 GPUs for 3 processes or more of this machine, expected"):
        group._select_gpu(torch.device("cuda"), 2, 2)
