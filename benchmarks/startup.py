"""CPU time of small commands, most of which is their start: this version beside another one, in interleaved rounds.

The work is tiny: phantoms of 64 x 64, a network of width 2, one epoch. What is left is Python, the imports and the checks. The
other version is that of another environment: `--before VENV/bin/python`.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TINY = ["--image_size", "32", "32", "--student_width", "2", "--device", "cpu"]


def cpu_seconds(python: str, *words: object) -> float:
    """Return the user and system time of a command and its children, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([python, *map(str, words)], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stderr.strip()[-400:]}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def make_inputs(folder: Path, names: list[str]) -> None:
    """Write raw phantoms, a prepared data set, a trained student and, where it is read, an ONNX file."""
    from medkd.phantoms import make_nifti

    make_nifti(folder / "raw", cases=6, size=64, slices=(10, 14))
    cpu_seconds(sys.executable, "-m", "medkd", *commands(folder, folder / "data")["prepare"])
    cpu_seconds(sys.executable, "-m", "medkd", *commands(folder, folder / "student")["train"])
    if "infer --model FILE.onnx" in names:
        cpu_seconds(sys.executable, "-m", "medkd", *commands(folder, folder / "exported")["export"])


def commands(folder: Path, out: Path) -> dict[str, list[object]]:
    """Return the words of each command, which writes to ``out``."""
    raw, data, student = folder / "raw", ["--dataset_dir", folder / "data"], folder / "student"
    scan, to = ["--input", raw / "images/patient_00.nii.gz"], ["--output_dir", out]
    pairs = ["--images", raw / "images", "--labels", raw / "labels"]
    return {
        "methods": ["methods"],
        "prepare": ["prepare", "nifti", *pairs, "--classes", "kidney", "--dataset_dir", out],
        "infer --model FILE.onnx": ["infer", "--model", folder / "exported/student.onnx", *scan, *to],
        "infer": ["infer", "--model", student, *scan, *to],
        "evaluate": ["evaluate", "--model", student, *data, *to],
        "train": ["train", "nifti", *TINY, "--max_epochs", "1", *data, *to],
        "layers": ["layers", "nifti", *TINY[:5], *data],
        "report": ["report", student, *to],
        "export": ["export", "nifti", "--format", "onnx", "--model", student, *data, *to],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", help="python of an environment with the version to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commands", nargs="+", help="names of commands (default: all)")
    options = parser.parse_args()
    pythons = {"this version": sys.executable} | ({"before": options.before} if options.before else {})
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names = options.commands or list(commands(folder, folder))
        make_inputs(folder, names)
        imports = {"import torch": ["-c", "import torch"], "import monai": ["-c", "import monai"]}
        times: dict[str, dict[str, list[float]]] = {}
        for number in range(options.rounds):
            for name in [*imports, *names]:
                for version, python in pythons.items():
                    out = folder / f"{number} {name} {version}".replace("/", "_")
                    words = imports.get(name) or ["-m", "medkd", *commands(folder, out)[name]]
                    times.setdefault(name, {}).setdefault(version, []).append(cpu_seconds(python, *words))
    print("| command |", " | ".join(f"{version}, s" for version in pythons), "|")
    print("|---|" + "---|" * len(pythons))
    for name, by_version in times.items():
        cells = [f"{statistics.median(v):.2f} ({min(v):.2f} to {max(v):.2f})" for v in by_version.values()]
        print(f"| {name} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
