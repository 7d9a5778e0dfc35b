"""What a command imports: seconds of CPU time hang on it, so it is kept."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from medkd.phantoms import make_nifti

ROOT = Path(__file__).parents[1]
LAZY = sorted(file.parent.name for file in (ROOT / "medkd").glob("*/__init__.py") if "lazy_names(" in file.read_text())
HEAVY = {"torch", "monai", "ignite", "matplotlib", "pandas", "skimage", "mlflow", "tensorboard", "onnxruntime"}


def imported_by(code: str, *arguments: object) -> set[str]:
    """Return the names of the modules that a new Python process has imported after running the code."""
    listing = "\nimport sys\nprint('MODULES', *sys.modules)"
    command = [sys.executable, "-c", code + listing, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("MODULES ")[2].split())


def imported_by_command(*words: object) -> set[str]:
    return imported_by("import sys\nfrom medkd.cli.main import main\nassert main(sys.argv[1:]) == 0", *words)


@pytest.mark.parametrize(
    ("given", "found"),
    [({}, "1000 None"), ({"GOMP_SPINCOUNT": "7"}, "7 None"), ({"OMP_WAIT_POLICY": "active"}, "None active")],
)
def test_threads_of_a_command_sleep_soon_unless_the_user_says_how_they_wait(given, found):
    code = (
        "import os, sys\nfrom medkd.cli.main import main\nassert main(['methods', '--x']) == 2 and 'torch' not in sys.modules"
        "\nprint(os.environ.get('GOMP_SPINCOUNT'), os.environ.get('OMP_WAIT_POLICY'))"
    )
    environment = {
        name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment | given, capture_output=True, text=True)
    assert done.stdout.strip() == found, done.stderr


def test_packages_import_nothing_heavy_before_a_name_is_used():
    modules = imported_by("".join(f"import medkd.{name}\n" for name in [*LAZY, "io", "phantoms", "experiments"]))
    assert not modules & (HEAVY - {"pandas"})


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["methods"], ["prepare", "nifti", "--help"]], ids=str
)
def test_help_and_methods_import_nothing_heavy(words):
    assert not imported_by_command(*words) & {*HEAVY, "numpy", "scipy", "nibabel"}


def test_prepare_needs_neither_torch_nor_monai(tmp_path):
    make_nifti(tmp_path / "raw", cases=6, size=32, slices=(8, 9))
    folders = ["--images", tmp_path / "raw/images", "--labels", tmp_path / "raw/labels"]
    modules = imported_by_command(
        "prepare", "nifti", *folders, "--classes", "kidney", "--dataset_dir", tmp_path / "data"
    )
    assert not modules & HEAVY and (tmp_path / "data/datalist.json").is_file()


@pytest.mark.parametrize("name", LAZY)
def test_lazy_names_are_those_that_the_package_lists_and_hide_no_module(name):
    package = import_module(f"medkd.{name}")
    assert all(hasattr(package, listed) for listed in package.__all__)
    hidden = {file.stem for file in (ROOT / "medkd" / name).glob("*.py")} & set(package.__all__)
    assert not hidden
    with pytest.raises(AttributeError, match=f"medkd.{name}.*missing"):
        _ = package.missing


def test_losses_of_maps_do_not_load_the_compiler():
    # DCD marks a function for torch.compile, whose package takes most of a second to import
    modules = imported_by("import torch, sys\nfrom medkd.losses import ATLoss, KDLoss, SPKDLoss")
    assert "torch" in modules and "torch._dynamo" not in modules


@pytest.mark.slow
def test_monai_is_imported_with_the_collector_at_rest():
    code = """
import gc
from medkd.startup import import_monai

import_monai()
count = gc.get_freeze_count()
assert gc.isenabled() and count > 100_000, count
gc.unfreeze()
import_monai()
assert gc.get_freeze_count() == 0  # what others have made since then stays theirs
"""
    assert {"monai.bundle", "torch"} <= imported_by(code)
