"""Folders of a published split."""

import pytest

from medkd.data_prep._split_folders import SplitFolder, discover_split_folders, image_counts, unnested

from .own_volumes import touch


def test_folders_of_a_published_split(tmp_path, capsys):
    def folder(split, name, count, optional=False):
        return SplitFolder(split, tmp_path / name / "images", tmp_path / name / "masks", count, optional)

    folders = [folder("training", "a", 1), folder("test", "b", 2), folder("test", "c", 5, optional=True)]
    with pytest.raises(ValueError, match="no folder a/images in it"):
        discover_split_folders(tmp_path, folders, (".png",), (".png",))
    for name in ("a", "b"):
        for kind in ("images", "masks"):
            touch(tmp_path / name / kind, f"{name}.png")
    cases = discover_split_folders(tmp_path, folders, (".png",), (".png",))
    assert cases.published == {"a": "training", "b": "test"}
    assert image_counts(tmp_path, cases, folders) == {"a/images": 1, "b/images": 1, "c/images": 0}
    printed = capsys.readouterr().out
    assert "b/images: 1 image with a mask, the published data set has 2 there" in printed and "a/images" not in printed
    touch(tmp_path / "c" / "images")
    with pytest.raises(ValueError, match="no folder c/masks in it"):
        discover_split_folders(tmp_path, folders, (".png",), (".png",))


def test_a_folder_in_a_folder_of_its_name(tmp_path):
    touch(tmp_path / "X/X", "a")
    assert unnested(tmp_path / "X") == tmp_path / "X/X" and unnested(tmp_path / "X/X") == tmp_path / "X/X"
