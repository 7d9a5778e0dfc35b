"""Files that are written completely or not at all."""

import pytest
import torch

from medkd.runs.errors import one_line_errors
from medkd.runs.files import check_no_link_loop, save_atomically, write_atomically


def test_a_link_that_leads_to_itself_is_told(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "loop", tmp_path / "loop/in/it"):
        with pytest.raises(ValueError, match=r"--output_dir .*loop.*: found a symbolic link that leads to itself"):
            check_no_link_loop("output_dir", path)
        with pytest.raises(OSError) as error:
            path.stat()
        assert "found a symbolic link that leads to itself" in one_line_errors(error.value)
    check_no_link_loop("output_dir", tmp_path / "new/folder")


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "new" / "model.pt"
    save_atomically({"a": torch.ones(1)}, path)

    def fail(temporary):
        temporary.write_text("half")
        raise OSError("disk full")

    before = path.read_bytes()
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["model.pt"]


def test_folders_of_a_failed_write_are_removed(tmp_path):
    def fail(temporary):
        raise ValueError("no")

    (tmp_path / "kept").mkdir()
    with pytest.raises(ValueError, match="no"):
        write_atomically(tmp_path / "kept/new/newer/file", fail)
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


def test_full_disk_names_the_file(tmp_path):
    def full(temporary):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device: '.*/model.pt'"):
        write_atomically(tmp_path / "model.pt", full)


def test_two_processes_save_the_same_bytes(tmp_path, monkeypatch):
    for name, process in (("a", 1), ("b", 23456)):
        monkeypatch.setattr("os.getpid", lambda process=process: process)
        save_atomically({"weight": torch.ones(3)}, tmp_path / name / "model.pt")
    assert (tmp_path / "a/model.pt").read_bytes() == (tmp_path / "b/model.pt").read_bytes()
