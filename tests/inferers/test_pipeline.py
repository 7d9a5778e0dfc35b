"""Work in other threads gives the results of the same calls in turn, in the same order, and no error is lost."""

import threading
import time

import pytest

from medkd.inferers.pipeline import OneBeside, consume_beside, read_ahead
from medkd.io.notes import print_note


def test_items_are_consumed_in_order_in_another_thread():
    threads = set()

    def consume(items):
        threads.add(threading.get_ident())
        return [item * 2 for item in items]

    assert consume_beside(range(50), consume) == list(range(0, 100, 2))
    assert threads and threading.get_ident() not in threads


@pytest.mark.parametrize("waiting", [1, 3])
def test_what_is_produced_faster_waits(waiting):
    produced, ahead = [], []

    def produce():
        for index in range(8):
            produced.append(index)
            yield index

    def consume(items):
        for index in items:
            time.sleep(0.01)
            ahead.append(len(produced) - index)

    consume_beside(produce(), consume, waiting)
    assert max(ahead) == waiting + 1  # these and the one that is being produced


def test_an_error_of_the_consumer_ends_the_production():
    produced = []

    def consume(items):
        next(items)
        raise MemoryError("too large")

    with pytest.raises(MemoryError, match="too large"):
        consume_beside((produced.append(index) or index for index in range(1000)), consume)
    assert len(produced) < 1000


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_of_the_producer_ends_the_consumer(error):
    consumed, before = [], set(threading.enumerate())

    def produce():
        yield 1
        raise error("stopped")

    with pytest.raises(error, match="stopped"):
        consume_beside(produce(), lambda items: consumed.extend(items))
    assert consumed == [1]
    assert set(threading.enumerate()) <= before


def test_one_item_is_read_ahead_while_the_caller_works():
    begun = {name: threading.Event() for name in "abc"}

    def read(name):
        begun[name].set()
        return name.upper()

    with read_ahead(read, "abc") as reading:
        item, take = next(reading)
        assert (item, take()) == ("a", "A")
        assert begun["b"].wait(10) and not begun["c"].wait(0.05)
        assert [(item, take()) for item, take in reading] == [("b", "B"), ("c", "C")]


def test_reading_ends_with_an_error_of_the_caller():
    read, before = [], set(threading.enumerate())
    with pytest.raises(KeyError), read_ahead(read.append, range(100)) as reading:
        next(reading)[1]()
        raise KeyError("a defect")
    assert len(read) <= 2 and set(threading.enumerate()) <= before


def test_notes_and_errors_of_reading_come_in_their_turn(capsys):
    def read(name):
        print_note(f"{name}: guessed")
        if name == "b":
            raise ValueError("b: truncated")
        return name

    with read_ahead(read, "abc") as reading:
        _, take = next(reading)
        time.sleep(0.05)  # b is read by now
        assert capsys.readouterr().err == ""
        assert take() == "a" and capsys.readouterr().err == "note: a: guessed\n"
        _, take = next(reading)
        with pytest.raises(ValueError, match="b: truncated"):
            take()
        assert capsys.readouterr().err == "note: b: guessed\n"
        assert next(reading)[1]() == "c"


def test_one_call_runs_at_a_time_and_its_error_is_raised_later():
    done = []

    def write(name):
        time.sleep(0.01)
        if name == "b":
            raise OSError("disk full")
        done.append(name)

    with pytest.raises(OSError, match="disk full"), OneBeside() as beside:
        beside.start(write, "a")
        beside.start(write, "b")
        assert done == ["a"]
        beside.start(write, "c")
    assert done == ["a"]
    with pytest.raises(OSError, match="disk full"), OneBeside() as beside:
        beside.start(write, "b")


def test_the_call_that_runs_is_finished_after_an_interruption():
    done = []
    with pytest.raises(KeyboardInterrupt), OneBeside() as beside:
        beside.start(lambda: (time.sleep(0.05), done.append("written")))
        raise KeyboardInterrupt
    assert done == ["written"]
