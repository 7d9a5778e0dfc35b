"""What a file is, whatever its name says."""

import gzip
import json
import struct
import tarfile
import zipfile

import numpy as np
import pytest
import torch

from medkd.networks import UNet, load_weights
from medkd.runs.file_kind import file_kind

MAKE = {
    "an HTML page": lambda path: path.write_text("\n  <!DOCTYPE HTML><html><title>Sign in</title>"),
    "a Git LFS pointer": lambda path: path.write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    ),
    'a text that begins with \'{"error"': lambda path: path.write_text('{"error": "not found"}'),
    "an HDF5 file": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99)),
    "a NumPy array": lambda path: np.save(path.open("wb"), np.zeros(3)),
    "an archive of NumPy arrays": lambda path: np.savez(path.open("wb"), a=np.zeros(3)),
    "a gzip archive": lambda path: path.write_bytes(gzip.compress(b"weights")),
    "a zip archive without weights": lambda path: zipfile.ZipFile(path, "w").writestr("run/model.pt", b"x"),
    "a MONAI bundle": lambda path: zipfile.ZipFile(path, "w").writestr("b/configs/inference.json", b"{}"),
    "a TorchScript file": lambda path: torch.jit.save(torch.jit.script(torch.nn.ReLU()), str(path)),
    "a tar archive": lambda path: tarfile.open(path, "w").close() or path.write_bytes(tar(path)),
    "a file of safetensors": lambda path: path.write_bytes(safetensors({"a": np.zeros(2, np.float32)})),
    "a file of PyTorch": lambda path: torch.save({"a": torch.zeros(1)}, path),
    "a file of an unknown kind": lambda path: path.write_bytes(bytes(range(256))),
}


def tar(path):
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    return path.read_bytes()


def safetensors(arrays):
    header, content = {}, b""
    for name, array in arrays.items():
        end = len(content) + array.nbytes
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(content), end]}
        content += array.tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


@pytest.mark.parametrize("description", MAKE)
def test_the_kind_is_told(tmp_path, description):
    MAKE[description](tmp_path / "model.pt")
    assert file_kind(tmp_path / "model.pt").description.startswith(description)


@pytest.mark.parametrize(
    "description", [name for name in MAKE if name[:14] not in ("a file of safe", "a file of PyTo")]
)
def test_a_file_that_holds_no_weights_is_named(tmp_path, description):
    MAKE[description](tmp_path / "model.pt")
    with pytest.raises(ValueError, match="not a readable file of weights: ") as caught:
        load_weights(UNet(2, 1, 2, width=2), tmp_path, "teacher")
    told = str(caught.value)
    assert "\n" not in told and (description in told or "damaged" in told)


def test_safetensors_are_read_where_the_library_is_there(tmp_path):
    network, expected = UNet(2, 1, 2, width=2), UNet(2, 1, 2, width=2)
    arrays = {k: v.numpy() for k, v in expected.state_dict().items() if "num_batches" not in k}
    (tmp_path / "model.safetensors").write_bytes(safetensors(arrays))
    try:
        import safetensors as _  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(ValueError, match="pip install safetensors"):
            load_weights(network, tmp_path / "model.safetensors")
    else:
        load_weights(network, tmp_path / "model.safetensors")
        assert torch.equal(network.head.weight, expected.head.weight)
