"""A training that ends in the middle, for tests that resume it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from medkd.runs.resume import ResumableRun


@contextmanager
def stopped_after_a_save(monkeypatch) -> Iterator[None]:
    """Within, a training stops behind its first checkpoint."""
    save = ResumableRun._save

    def save_and_stop(self, trainer):
        save(self, trainer)
        raise MemoryError("stopped")

    with monkeypatch.context() as patched, suppress(MemoryError):
        patched.setattr(ResumableRun, "_save", save_and_stop)
        yield
