"""Prepared phantoms, drawn once for all tests, and the way in which tests run a bundle."""

import ctypes
import logging
import os
import signal
import sys
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path

import pytest
import torch

# Several test processes and MONAI's workers share two cores: more threads only wait for each other.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")

# OpenVINO imports absl's logging, where it is installed. Its handler closes its stream when MONAI configures logging, unless
# that is the process's own stderr: it would close a stream in which pytest captures.
with suppress(ImportError), redirect_stderr(sys.__stderr__):
    import absl.logging  # noqa: F401


@pytest.fixture(autouse=True)
def _no_handler_of_a_closed_stream():
    """Remove handlers that an earlier test bound to its captured output, which is closed: each message would print an error."""
    named = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    for logger in (logging.root, *named):
        for handler in logger.handlers[:]:
            if getattr(getattr(handler, "stream", None), "closed", False):
                logger.removeHandler(handler)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Keep what tests cache out of the folder of the user who runs them."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def default_sigterm():
    """Start each test with the system's SIGTERM: the code of a packed bundle, run in this process, leaves its handler."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture(scope="session")
def kits19_data(tmp_path_factory) -> Path:
    """Five small prepared KiTS19 phantoms: 3 training, 1 validation, 1 test."""
    from medkd.data_prep import kits19
    from medkd.phantoms import make_kits19

    folder = tmp_path_factory.mktemp("kits19")
    make_kits19(folder / "raw", cases=5, size=48, slices=(8, 10))
    kits19.prepare(folder / "raw", folder / "data", split="sorted")
    return folder / "data"


@pytest.fixture(scope="session")
def cvc_data(tmp_path_factory) -> Path:
    """Prepared CVC-EndoSceneStill phantoms, about 20 frames."""
    from medkd.data_prep import cvc_endoscene
    from medkd.phantoms import make_cvc_endoscene

    folder = tmp_path_factory.mktemp("cvc")
    make_cvc_endoscene(folder / "raw", frames=20, scale=0.15)
    cvc_endoscene.prepare(folder / "raw", folder / "data")
    return folder / "data"


@pytest.fixture(scope="session")
def more_data(tmp_path_factory) -> dict[str, Path]:
    """Task -> prepared data set, of the tasks whose bundles are those of polyps but for a word."""
    from medkd.data_prep import idrid, isic2018
    from medkd.phantoms import make_idrid, make_isic2018

    folder = tmp_path_factory.mktemp("pictures")
    make_isic2018(folder / "isic_raw", images=14, scale=0.1)
    make_idrid(folder / "idrid_raw", images=12, scale=0.02)
    isic2018.prepare(folder / "isic_raw", folder / "isic2018")
    idrid.prepare(folder / "idrid_raw", folder / "idrid")
    return {"isic2018": folder / "isic2018", "idrid": folder / "idrid"}


@pytest.fixture(scope="session")
def lits_data(tmp_path_factory) -> Path:
    """Six small prepared LiTS phantoms: 3 training, 1 validation, 2 test, of which one without a tumour."""
    from medkd.data_prep import lits
    from medkd.phantoms import make_lits

    folder = tmp_path_factory.mktemp("lits")
    make_lits(folder / "raw", cases=6, size=48, slices=(8, 10))
    lits.prepare(folder / "raw", folder / "data", split="sorted", folds=3)
    return folder / "data"


@pytest.fixture(scope="session")
def data(kits19_data, cvc_data) -> dict[str, Path]:
    """Task -> prepared data set."""
    return {"kits19": kits19_data, "cvc_endoscene": cvc_data}


TINY = [
    "--image_size",
    "[32,32]",
    "--teacher_width",
    "2",
    "--student_width",
    "2",
    "--max_epochs",
    "1",
    "--device",
    "cpu",
]


@pytest.fixture(scope="session")
def medkd_run():
    """Calls the command in this process with tiny networks; returns its exit code."""
    from medkd.cli.main import main

    def run(verb: str, task: str, *options: object, tiny: bool = True) -> int:
        words = [str(option) for option in options]
        given = {word for word in words if word.startswith("--")}
        pairs = zip(TINY[::2], TINY[1::2], strict=True)
        small = [word for name, value in pairs if name not in given for word in (name, value)] if tiny else []
        if verb == "infer":
            small = [w for n, v in zip(small[::2], small[1::2], strict=True) if n != "--max_epochs" for w in (n, v)]
        return main([verb, task, *small, *words])

    return run


@pytest.fixture(scope="session")
def teachers(data, medkd_run, tmp_path_factory) -> dict[str, Path]:
    """Task -> output folder of a teacher trained for one epoch."""
    folder = tmp_path_factory.mktemp("teachers")
    for task, dataset_dir in data.items():
        options = ["--dataset_dir", dataset_dir, "--output_dir", folder / task]
        assert medkd_run("train", task, "--role", "teacher", *options) == 0
    return {task: folder / task for task in data}


@pytest.fixture(scope="session")
def two_processes():
    """Runs ``work(rank, port, results)`` in two processes; what each put into results, a tuple with the rank first."""
    import queue
    import socket

    from torch import multiprocessing

    def run(work):
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        processes = [context.Process(target=work, args=(rank, port, results)) for rank in range(2)]
        for process in processes:
            process.start()
        found = []
        while len(found) < len(processes):
            try:
                found.append(results.get(timeout=1))
            except queue.Empty:
                if any(process.exitcode for process in processes):  # the other one waits for it
                    for process in processes:
                        process.kill()
                    pytest.fail("a process failed")
        found.sort(key=lambda entry: entry[0])
        for process in processes:
            process.join()
            assert process.exitcode == 0
        return found

    return run


@pytest.fixture(scope="session")
def nnunet_model():
    """Writes a model folder as nnU-Net v2 leaves it, with random weights; returns the folder and its network."""
    import json

    import numpy as np

    from medkd.teachers.nnunet_plans import build_network

    def layers(dims: int, blocks: str) -> dict:
        kernels, strides = [[3] * dims] * 3, [[1] * dims, [2] * dims, [2] * dims]
        return {
            "n_stages": 3,
            "features_per_stage": [2, 4, 4],
            "kernel_sizes": kernels,
            "strides": strides,
            blocks: [1, 1, 1],
            "n_conv_per_stage_decoder": [1, 1],
            "conv_op": f"torch.nn.modules.conv.Conv{dims}d",
            "conv_bias": True,
            "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dims}d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        }

    def write(folder: Path, dims: int = 2, classes: int = 2, scheme: str = "CTNormalization", residual: bool = False):
        kind, blocks = (
            ("ResidualEncoderUNet", "n_blocks_per_stage") if residual else ("PlainConvUNet", "n_conv_per_stage")
        )
        plan = {
            "architecture": {
                "network_class_name": f"dynamic_network_architectures.architectures.unet.{kind}",
                "arch_kwargs": layers(dims, blocks),
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            },
            "patch_size": [32] * dims,
            "normalization_schemes": [scheme],
        }
        foreground = {"mean": 90.0, "std": 60.0, "percentile_00_5": -70.0, "percentile_99_5": 280.0}
        name = folder.name.split("__")[-1]
        plans = {"configurations": {name: plan}, "foreground_intensity_properties_per_channel": {"0": foreground}}
        labels = {str(k): k for k in range(classes)}
        (folder / "fold_0").mkdir(parents=True)
        (folder / "plans.json").write_text(json.dumps(plans))
        (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
        network = build_network(plan, in_channels=1, out_channels=classes).eval()
        weights = {**network.state_dict()}
        content = {
            "network_weights": {f"module._orig_mod.{key}": value for key, value in weights.items()},
            "logging": {"dice": [np.float64(0.5), np.float32(0.5)], "epoch": np.int64(1)},
            "_best_ema": np.float64(0.5),
            "init_args": {"configuration": name, "fold": 0, "device": torch.device("cpu")},
        }
        torch.save(content, folder / "fold_0/checkpoint_final.pth")
        return network

    return write


@pytest.fixture(scope="session")
def students(kits19_data, cvc_data, tmp_path_factory) -> dict[str, tuple[str, Path, Path]]:
    """Kind of input -> task, folder of a student with random weights and a record as a run leaves it, its data set."""
    import numpy as np
    import yaml
    from PIL import Image

    from medkd.networks import ResNetFCN, UNet

    scan = {"target": "tumour", "window": [-200, 300]}
    made = {
        "slices": (
            "kits19",
            ResNetFCN(2, 1, 2, width=2),
            {"mode": "2d", **scan},
            {"image_size": [32, 32]},
            kits19_data,
        ),
        "volumes": (
            "kits19",
            UNet(3, 1, 2, width=2),
            {"mode": "3d", **scan, "spacing": [2.5, 1.0, 1.2]},
            {"patch_size": [16, 32, 32], "image_size": [16, 32, 32]},
            kits19_data,
        ),
        "pictures": ("cvc_endoscene", UNet(2, 3, 2, width=2), {"image_size": [48, 64]}, {}, cvc_data),
    }
    found = {}
    for seed, (kind, (task, network, trained_with, more, data)) in enumerate(made.items()):
        folder = tmp_path_factory.mktemp("students") / kind
        folder.mkdir()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.ndim == 1:
                    parameter.fill_(float(parameter.mean() > 0.5))  # weights of a norm 1, biases 0
                else:  # large enough for both classes to be found
                    gain = 1.5 if kind == "pictures" else 1
                    weights = torch.randn(parameter.shape, generator=generator)
                    parameter.copy_(gain * weights / parameter[0].numel() ** 0.5)
            size = trained_with.get("image_size") or more["image_size"]
            sample = torch.rand(1, network.in_channels, *size, generator=generator)
            if kind == "pictures":
                frame = Image.open(min(cvc_data.rglob("*.png"))).convert("RGB").resize(size[::-1])
                sample = torch.from_numpy(np.array(frame)).movedim(-1, 0)[None] / 255
            logits = network.eval()(sample * 2 - 1)
            # not the median: where units are dead, that may be the largest value too
            network.head.bias[0] += sum((logits[:, 1] - logits[:, 0]).aminmax()) / 2
        torch.save(network.state_dict(), folder / "model.pt")
        record = {"bundle_root": ".", "student_width": 2, "trained_with": trained_with, **more}
        (folder / "config.yaml").write_text(yaml.safe_dump(record))
        found[kind] = task, folder, data
    return found


@pytest.fixture(scope="session")
def exported(students, tmp_path_factory) -> dict[str, Path]:
    """Kind of input -> ONNX file of the student."""
    from medkd.cli.main import main

    files = {}
    for kind, (task, folder, data) in students.items():
        out = tmp_path_factory.mktemp("exported")
        words = ["--model", folder, "--dataset_dir", data, "--output_dir", out, "--format", "onnx"]
        assert main(["export", task, *map(str, words)]) == 0
        files[kind] = out / "student.onnx"
    return files


@pytest.fixture(scope="session")
def assert_equal():
    """Asserts that two states of runs are equal bit for bit: dicts, lists, tensors and plain values within each other."""

    def check(a, b, place="state"):
        assert type(a) is type(b), place
        if isinstance(a, dict):
            assert a.keys() == b.keys(), place
            for key in a:
                check(a[key], b[key], f"{place}.{key}")
        elif isinstance(a, torch.Tensor):
            assert torch.equal(a, b), place
        elif isinstance(a, list | tuple):
            assert len(a) == len(b), place
            for index, (x, y) in enumerate(zip(a, b, strict=True)):
                check(x, y, f"{place}.{index}")
        else:
            assert a == b, place

    return check


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("process", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


@pytest.fixture
def ordinary_user():
    """A context in which the modes of files count for root too, without the two capabilities that bypass them."""
    libc, header, sets = ctypes.CDLL(None, use_errno=True), _Header(0x20080522, 0), (_Sets * 2)()

    @contextmanager
    def as_ordinary_user():
        if os.geteuid() != 0:
            yield
            return
        assert libc.capget(ctypes.byref(header), ctypes.byref(sets)) == 0
        before = sets[0].effective
        sets[0].effective &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        assert libc.capset(ctypes.byref(header), ctypes.byref(sets)) == 0
        try:
            yield
        finally:
            sets[0].effective = before
            assert libc.capset(ctypes.byref(header), ctypes.byref(sets)) == 0

    return as_ordinary_user
