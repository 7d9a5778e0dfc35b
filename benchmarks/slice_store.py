"""Compare file formats for reading random axial slices of a CT volume: size, slice reads, writing.

    python benchmarks/slice_store.py --image case_00000/imaging.nii.gz

Each round writes every format once and reads the same random slices from each in turn, so that a slow moment of the machine
affects all. Results are medians over the rounds. The file is opened for each slice, as a DataLoader worker does. Files are in
the page cache: the figures are costs of decoding, not of the disk. Without --image the volume is a phantom.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import blosc2
import h5py
import nibabel as nib
import numpy as np
import zarr

from medkd.data.volume_store import read_slice, write_volume
from medkd.phantoms.kits19 import kits19_affine, make_phantom

Write = Callable[[Path, np.ndarray, np.ndarray], None]
Read = Callable[[Path, int], np.ndarray]


def blosc2_codec(codec: blosc2.Codec, level: int) -> tuple[str, Write, Read]:
    """Return suffix, writer and reader of blosc2 with one slice per chunk."""

    def write(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
        chunk = (1, *array.shape[1:])
        cparams = {"codec": codec, "clevel": level, "filters": [blosc2.Filter.SHUFFLE], "nthreads": 1}
        blosc2.asarray(array, chunks=chunk, blocks=chunk, cparams=cparams, urlpath=str(path), mode="w")

    return "b2nd", write, lambda path, index: blosc2.open(str(path), mode="r", dparams={"nthreads": 1})[index]


def hdf5(compression: str, level: int | None) -> tuple[str, Write, Read]:
    """Return suffix, writer and reader of HDF5 with one slice per chunk."""

    def write(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
        with h5py.File(path, "w") as file:
            chunk = (1, *array.shape[1:])
            file.create_dataset(
                "v", data=array, chunks=chunk, compression=compression, compression_opts=level, shuffle=True
            )

    def read(path: Path, index: int) -> np.ndarray:
        with h5py.File(path, "r") as file:
            return file["v"][index]

    return "h5", write, read


def zarr3() -> tuple[str, Write, Read]:
    """Return suffix, writer and reader of zarr 3 with one slice per chunk."""

    def write(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
        codec = zarr.codecs.BloscCodec(cname="zstd", clevel=1, shuffle="shuffle")
        store = zarr.create_array(
            path, shape=array.shape, chunks=(1, *array.shape[1:]), dtype=array.dtype, compressors=codec, overwrite=True
        )
        store[:] = array

    return "zarr", write, lambda path, index: zarr.open_array(path, mode="r")[index]


def nifti(suffix: str, slice_axis: int) -> tuple[str, Write, Read]:
    """Return suffix, writer and reader of NIfTI.

    KiTS stores slices on axis 0, where the column-major order of NIfTI scatters a slice over the whole file.
    """

    def write(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
        nib.save(nib.Nifti1Image(array if slice_axis == 0 else np.moveaxis(array, 0, -1), affine), path)

    def read(path: Path, index: int) -> np.ndarray:
        data = nib.load(path).dataobj
        return np.asarray(data[index] if slice_axis == 0 else data[..., index])

    return suffix, write, read


FORMATS: dict[str, tuple[str, Write, Read]] = {
    ".nii.gz (slices first, as KiTS)": nifti("nii.gz", 0),
    ".nii.gz (slices last)": nifti("nii.gz", 2),
    ".nii (slices first, as KiTS)": nifti("nii", 0),
    ".nii (slices last)": nifti("nii", 2),
    "**medkd.data.volume_store** (blosc2 lz4 5, bits shuffled)": ("b2nd", write_volume, read_slice),
    "blosc2 zstd 1": blosc2_codec(blosc2.Codec.ZSTD, 1),
    "blosc2 zstd 5": blosc2_codec(blosc2.Codec.ZSTD, 5),
    "blosc2 lz4 5": blosc2_codec(blosc2.Codec.LZ4, 5),
    "zarr 3 (blosc zstd 1)": zarr3(),
    "h5py lzf": hdf5("lzf", None),
    "h5py gzip 4": hdf5("gzip", 4),
}


def load(image: str | None, phantom_shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the volume as int16 ``(S, H, W)`` and its affine."""
    if image is None:
        return make_phantom(np.random.default_rng(0), phantom_shape, small=False)[0], kits19_affine(3.0, 0.78)
    file = nib.load(image)
    order = nib.orientations.axcodes2ornt("IPL")
    file = file.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(file.affine), order))
    return np.ascontiguousarray(np.rint(file.get_fdata(dtype=np.float32)).astype(np.int16)), file.affine


def size_of(path: Path) -> int:
    """Return the bytes of a file or folder."""
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) if path.is_dir() else path.stat().st_size


def measure(array: np.ndarray, affine: np.ndarray, rounds: int, reads: int) -> dict[str, dict[str, float]]:
    """Return size (bytes), write (s) and read (s per slice) of every format; medians over the rounds."""
    times: dict[str, dict[str, list[float]]] = {name: {"size": [], "write": [], "read": []} for name in FORMATS}
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            indices = rng.integers(0, len(array), reads)
            for name, (suffix, write, read) in FORMATS.items():
                path = Path(folder) / f"volume{list(FORMATS).index(name)}.{suffix}"
                start = time.perf_counter()
                write(path, array, affine)
                times[name]["write"].append(time.perf_counter() - start)
                times[name]["size"].append(size_of(path))
                start = time.perf_counter()
                slices = [read(path, int(index)) for index in indices]
                times[name]["read"].append((time.perf_counter() - start) / reads)
                if not all(np.array_equal(plane, array[i]) for plane, i in zip(slices, indices, strict=True)):
                    raise RuntimeError(f"{name}: the slices read differ from those written")
    return {name: {key: median(values) for key, values in row.items()} for name, row in times.items()}


def main() -> None:
    """Print a table with one row per format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", help="NIfTI volume; without it a phantom")
    parser.add_argument("--phantom-shape", type=int, nargs=3, default=(100, 512, 512), metavar=("S", "H", "W"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--reads", type=int, default=8, help="slices per format and round")
    args = parser.parse_args()
    array, affine = load(args.image, tuple(args.phantom_shape))
    results = measure(array, affine, args.rounds, args.reads)
    base = results[next(iter(FORMATS))]
    print(f"{args.image or 'phantom'}: {array.shape}, {args.rounds} rounds of {args.reads} slices\n")
    print("| format | size / raw int16 | slice reads/s / .nii.gz | write time / .nii.gz | ms per slice |")
    print("|---|---|---|---|---|")
    for name, row in results.items():
        print(
            f"| {name} | {row['size'] / array.nbytes:.3f} | {base['read'] / row['read']:.1f} | "
            f"{row['write'] / base['write']:.3f} | {1e3 * row['read']:.2f} |"
        )


if __name__ == "__main__":
    main()
