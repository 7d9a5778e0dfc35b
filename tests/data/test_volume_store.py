"""Volume stores: what is written comes back bit for bit; damaged and foreign files are named."""

import blosc2
import numpy as np
import pytest

from medkd.data import read_region, read_slice, read_volume, volume_shape, write_volume

AFFINE = np.array([[0.01, 0, -0.7, 12.5], [0, -0.8, 0, 1 / 3], [-3.0, 0, 0.02, -881.32], [0, 0, 0, 1]])


def volume(dtype="int16", shape=(5, 17, 23)):
    limits = np.iinfo(dtype)
    array = np.random.default_rng(0).integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    array[0, 0, :2] = limits.min, limits.max
    return array


@pytest.mark.parametrize("dtype", ["int16", "uint8"])
def test_round_trip_bit_for_bit(tmp_path, dtype):
    array, path = volume(dtype), tmp_path / "a.b2nd"
    write_volume(path, array, AFFINE)
    found, affine = read_volume(path)
    assert found.dtype == array.dtype and np.array_equal(found, array)
    assert affine.dtype == np.float64 and np.array_equal(affine, AFFINE)
    assert volume_shape(path) == (5, 17, 23)
    for index in range(5):
        found = read_slice(path, index)
        assert found.shape == (17, 23) and np.array_equal(found, array[index])


def test_non_contiguous_array_is_stored_as_seen(tmp_path):
    array = volume().transpose(2, 0, 1)[::-1]
    write_volume(tmp_path / "a.b2nd", array, AFFINE)
    assert np.array_equal(read_volume(tmp_path / "a.b2nd")[0], array)


def test_write_replaces_and_leaves_no_temporary_file(tmp_path):
    path = tmp_path / "a.b2nd"
    write_volume(path, volume(), AFFINE)
    write_volume(path, volume(shape=(2, 3, 4)), np.eye(4))
    assert volume_shape(path) == (2, 3, 4)
    assert [p.name for p in tmp_path.iterdir()] == ["a.b2nd"]


def test_a_full_disk_is_an_os_error(tmp_path, monkeypatch):
    def break_off(*args, **kwargs):
        raise RuntimeError("Error while creating the NDArray")

    monkeypatch.setattr(blosc2, "asarray", break_off)
    with pytest.raises(OSError, match=r"a.b2nd: cannot be written, is the disk full\? \(Error while creating"):
        write_volume(tmp_path / "a.b2nd", volume(), AFFINE)


def test_a_failed_write_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = tmp_path / "a.b2nd"
    write_volume(path, volume(), AFFINE)
    write = blosc2.asarray

    def break_off(*args, **kwargs):
        write(*args, **kwargs)
        raise OSError("disk full")

    monkeypatch.setattr(blosc2, "asarray", break_off)
    with pytest.raises(OSError, match="disk full"):
        write_volume(path, volume() // 2, AFFINE)
    assert np.array_equal(read_volume(path)[0], volume())
    assert [p.name for p in tmp_path.iterdir()] == ["a.b2nd"]


def test_a_slice_reads_only_its_own_chunk(tmp_path):
    """Damage in the middle of the file breaks the slice that lies there and no other."""
    smooth = np.cumsum(np.random.default_rng(0).integers(-2, 3, (9, 64, 64)), axis=-1).astype(np.int16)
    path = tmp_path / "a.b2nd"
    write_volume(path, smooth, AFFINE)
    assert blosc2.open(str(path), mode="r").chunks == (1, 64, 64)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    path.write_bytes(content)
    intact = []
    for index in range(9):
        try:
            intact.append(np.array_equal(read_slice(path, index), smooth[index]))
        except ValueError as error:
            assert "damaged or truncated" in str(error)
            intact.append(False)
    assert intact.count(False) in (1, 2) and intact[0] and intact[8]


@pytest.mark.parametrize(
    ("array", "affine", "name", "message"),
    [
        (volume().astype(np.float32), AFFINE, "a.b2nd", "voxels are float32, expected int16"),
        (volume()[0], AFFINE, "a.b2nd", r"shape \(17, 23\), expected three axes"),
        (volume()[:0], AFFINE, "a.b2nd", r"shape \(0, 17, 23\)"),
        (volume(), np.eye(3), "a.b2nd", "expected finite 4x4"),
        (volume(), AFFINE * np.nan, "a.b2nd", "expected finite 4x4"),
        (volume(), AFFINE, "a.nii", r"must be named \*.b2nd"),
    ],
)
def test_write_refuses(tmp_path, array, affine, name, message):
    with pytest.raises(ValueError, match=message):
        write_volume(tmp_path / name, array, affine)
    assert not any(tmp_path.iterdir())


def test_read_refuses(tmp_path):
    path = tmp_path / "a.b2nd"
    with pytest.raises(FileNotFoundError, match="a.b2nd: no such volume store"):
        read_slice(path, 0)
    write_volume(path, volume(), AFFINE)
    for index in (5, -1):
        with pytest.raises(ValueError, match=f"found slice {index}, expected 0 to 4"):
            read_slice(path, index)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="a.b2nd: .*(not a readable|truncated)"):
        read_volume(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="a.b2nd: not a readable volume store"):
        volume_shape(path)


@pytest.mark.parametrize(
    ("chunks", "blocks"),
    [((2, 17, 23), (1, 17, 23)), ((1, 8, 23), (1, 8, 23)), ((1, 17, 23), (1, 10, 23)), ((1, 17, 23), (1, 4, 8))],
)
def test_a_store_that_was_cut_otherwise_gives_the_same_slices(tmp_path, chunks, blocks):
    array, path = volume(), tmp_path / "a.b2nd"
    store = blosc2.asarray(array, chunks=chunks, blocks=blocks, urlpath=str(path), mode="w")
    store.vlmeta["affine"] = AFFINE.tolist()
    del store
    assert all(np.array_equal(read_slice(path, index), array[index]) for index in range(5))


def test_a_store_of_another_codec_gives_the_same_slices(tmp_path):
    """What releases before lz4 wrote."""
    array, path = volume(), tmp_path / "a.b2nd"
    coding = {"codec": blosc2.Codec.ZSTD, "clevel": 1, "filters": [blosc2.Filter.SHUFFLE], "nthreads": 1}
    one = (1, 17, 23)
    store = blosc2.asarray(array, chunks=one, blocks=one, cparams=coding, urlpath=str(path), mode="w")
    store.vlmeta["affine"] = AFFINE.tolist()
    del store
    assert all(np.array_equal(read_slice(path, index), array[index]) for index in range(5))
    assert np.array_equal(read_volume(path)[0], array)


def test_every_changed_byte_is_told_or_changes_nothing(tmp_path):
    array, path = np.cumsum(np.ones((3, 8, 8)), axis=-1).astype(np.int16), tmp_path / "a.b2nd"
    write_volume(path, array, AFFINE)
    content, told = path.read_bytes(), 0
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.unlink()  # a file has another inode, or time, when its content changes
        path.write_bytes(damaged)
        try:
            found, affine = read_volume(path)
            slices = [read_slice(path, index) for index in range(3)]
        except ValueError as error:
            assert str(path) in str(error)
            told += 1
        else:
            assert np.array_equal(found, array) and np.array_equal(slices, array) and np.array_equal(affine, AFFINE)
    assert told > len(content) / 2


def test_a_damaged_slice_is_told_and_the_others_are_read(tmp_path):
    array, path = volume(), tmp_path / "a.b2nd"
    write_volume(path, array, AFFINE)
    content = bytearray(path.read_bytes())
    content[content.index(array[2].tobytes()[:64]) + 40] ^= 1  # noise is stored as it is
    path.write_bytes(content)
    assert np.array_equal(read_slice(path, 1), array[1])
    for _ in range(2):
        with pytest.raises(ValueError, match="a.b2nd: .*the checksum of its slice 2 does not match"):
            read_slice(path, 2)
    with pytest.raises(ValueError, match="the checksum of its slice 2"):
        read_region(path, (slice(1, 4), slice(0, 3), slice(0, 3)))
    assert np.array_equal(read_region(path, (slice(3, 5), slice(0, 3), slice(0, 3))), array[3:, :3, :3])
