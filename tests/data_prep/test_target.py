"""The folder that a preparation writes: refused, complete or absent."""

import errno
import os

import pytest

from medkd.data_prep import _own_volumes
from medkd.data_prep._target import check_target, complete_or_absent

from .own_volumes import prepare, write_folders


def test_what_others_wrote_into_the_target_stays(tmp_path, monkeypatch):
    write_folders(tmp_path)

    def meanwhile(*arguments):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out/model.pt").write_bytes(b"weights")
        return store(*arguments)

    store = _own_volumes.store_volumes
    monkeypatch.setattr(_own_volumes, "store_volumes", meanwhile)
    with pytest.raises(ValueError, match=r"out: not empty and no prepared data set"):
        prepare(tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.pt"]
    monkeypatch.setattr(_own_volumes, "store_volumes", store)
    (tmp_path / "out/model.pt").unlink()
    prepare(tmp_path)
    (tmp_path / "out/soft_labels").mkdir()
    prepare(tmp_path, overwrite=True)
    (tmp_path / "out/teacher").mkdir()
    with pytest.raises(ValueError, match="out: holds teacher, expected a prepared data set alone"):
        prepare(tmp_path, overwrite=True)
    assert (tmp_path / "out/teacher").is_dir() and (tmp_path / "out/datalist.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels", "out"]


def prepared(folder, content="old"):
    folder.mkdir(parents=True)
    (folder / "datalist.json").write_text(content)
    return folder


def test_targets_that_must_not_be_written(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").touch()
    for target, message in [
        (tmp_path, "holds the source .*source, which must stay as it is"),
        (tmp_path / "file", "file: is a file, expected a folder to write"),
        (tmp_path / "mine", "mine: not empty and no prepared data set"),
        (
            prepared(tmp_path / "data"),
            "--dataset_dir .*data: holds a prepared data set already: rename it, name another",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            check_target(source, target, overwrite=False)
    check_target(source, tmp_path / "data", overwrite=True)
    check_target(source, source / "data", overwrite=False)  # below the source is fine
    (tmp_path / "data/notes.txt").touch()
    with pytest.raises(ValueError, match="data: holds notes.txt, expected a prepared data set alone"):
        check_target(source, tmp_path / "data", overwrite=True)


def test_a_target_is_complete_or_absent(tmp_path):
    target = tmp_path / "new/parents/data"
    with pytest.raises(RuntimeError, match="halfway"), complete_or_absent(tmp_path / "source", target, False) as folder:
        (folder / "datalist.json").touch()
        raise RuntimeError("halfway")
    assert not list(tmp_path.iterdir())  # the new parents are gone, too
    with complete_or_absent(tmp_path / "source", target, False) as folder:
        (folder / "datalist.json").touch()
        assert not target.exists() and folder.parent == target.parent
    assert [path.name for path in target.parent.iterdir()] == ["data"] and (target / "datalist.json").is_file()


def test_the_error_of_a_full_disk_names_the_target(tmp_path):
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*/out'$"),
        complete_or_absent(tmp_path / "source", tmp_path / "out", False),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_earlier_data_set_is_put_back_when_the_move_fails(tmp_path, monkeypatch):
    target, replace = prepared(tmp_path / "data"), os.replace

    def refuse_partial(source, destination):
        if ".partial-" in str(source):
            raise OSError("no move")
        replace(source, destination)

    monkeypatch.setattr(os, "replace", refuse_partial)
    monkeypatch.setattr(os, "rename", refuse_partial)
    with pytest.raises(OSError, match="no move"), complete_or_absent(tmp_path / "source", target, True) as folder:
        (folder / "datalist.json").write_text("new")
    assert (target / "datalist.json").read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["data"]
