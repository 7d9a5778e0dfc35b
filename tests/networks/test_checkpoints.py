"""Loading weights: folders and files, and each way in which a file can be wrong."""

import pickle

import pytest
import torch

from medkd.networks import UNet, load_weights


def test_a_folder_means_its_model(tmp_path):
    source, target = UNet(2, 1, 2, width=4), UNet(2, 1, 2, width=4)
    torch.save(source.state_dict(), tmp_path / "model.pt")
    for path in (tmp_path, tmp_path / "model.pt"):
        load_weights(target, path)
        assert all(torch.equal(a, b) for a, b in zip(source.parameters(), target.parameters(), strict=True))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"teacher .*model.pt: no such file, expected the model.pt of"):
        load_weights(UNet(2, 1, 2, width=4), tmp_path, "teacher")


def test_weights_of_another_network(tmp_path):
    torch.save(UNet(2, 1, 2, width=8).state_dict(), tmp_path / "model.pt")
    with pytest.raises(
        ValueError,
        match=r"weights of another network, \d+ tensors do not fit UNet; width 8 in the file, 4 here \(--student_width 8",
    ):
        load_weights(UNet(2, 1, 2, width=4), tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 truncated"])
def test_unreadable_file(tmp_path, content):
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(ValueError, match="model.pt: not a readable file of weights"):
        load_weights(UNet(2, 1, 2, width=4), tmp_path)


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def test_code_in_a_pickle_is_not_executed(tmp_path):
    (tmp_path / "model.pt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="not a readable file of weights"):
        load_weights(UNet(2, 1, 2, width=4), tmp_path)


def test_something_else_than_a_state_dict(tmp_path):
    torch.save([1, 2], tmp_path / "model.pt")
    with pytest.raises(ValueError, match="holds list, expected the state dict of a UNet"):
        load_weights(UNet(2, 1, 2, width=4), tmp_path)
