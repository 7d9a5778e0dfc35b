"""What MONAI's own programs do with a packed bundle, offline."""

import json
import re
import runpy
import shutil
import sys
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import onnxruntime
import pytest
import torch
from monai.bundle import ConfigParser, ckpt_export, onnx_export, verify_metadata, verify_net_in_out
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems
from monai.fl.utils.exchange_object import ExchangeObject
from PIL import Image

import medkd
from medkd.cli.main import main
from medkd.configs.merge import merge_files
from medkd.networks import load_weights
from medkd.runs import RunFolder
from tests.deploy.bundle.packed_forms import FORMS, RUN

SCHEMA = Path(__file__).parents[2] / "bundles/metadata_schema.json"
NETWORKS = [("kits19", "2d"), ("kits19", "3d"), ("cvc_endoscene", "2d")]  # one of each kind
LISTED = ["LICENSE", "configs/metadata.json", "configs/train.json", "configs/evaluate.json", "configs/inference.json"]
LISTED += ["configs/logging.conf", "configs/distill.json", "configs/teacher.json", "configs/multi_gpu_train.json"]
LISTED += ["configs/resume.json", "docs/README.md", "docs/data_license.txt", "models/model.pt"]


def network_of(bundle: Path) -> torch.nn.Module:
    parser = ConfigParser(ConfigParser.load_config_file(bundle / "configs/inference.json"))
    parser["bundle_root"] = str(bundle)
    return load_weights(parser.get_parsed_content("network_def"), bundle / "models/model.pt").eval()


@pytest.mark.parametrize(("task", "mode"), FORMS)
def test_the_zoos_checks_of_form(packed, task, mode, tmp_path):
    bundle = packed(task, mode)
    assert [name for name in LISTED if not (bundle / name).is_file()] == []
    metadata = json.loads((bundle / "configs/metadata.json").read_text())
    assert metadata["version"] in metadata["changelog"] and task in metadata["name"]
    shutil.copy(SCHEMA, tmp_path / "schema.json")  # where it lies already it is not downloaded
    files = {"meta_file": str(bundle / "configs/metadata.json"), "config_file": str(bundle / "configs/inference.json")}
    verify_metadata(meta_file=files["meta_file"], filepath=str(tmp_path / "schema.json"))
    for config in ("inference.json", "train.json"):
        files["config_file"] = str(bundle / "configs" / config)
        verify_net_in_out(net_id="network_def", device="cpu", bundle_root=str(bundle), **files)
    form = metadata["network_data_format"]
    names = {"nifti": ["background", "kidney", "tumour"], "isic2018": ["background", "lesion"]}
    if task in names:
        assert list(form["outputs"]["pred"]["channel_def"].values()) == names[task]
    assert len(form["inputs"]["image"]["spatial_shape"]) == int(mode[0])


@pytest.mark.parametrize(("task", "mode"), FORMS)
def test_no_config_of_inference_and_no_script_names_medkd(packed, task, mode):
    bundle = packed(task, mode)
    assert "medkd." not in (bundle / "configs/inference.json").read_text()
    scripts = sorted((bundle / "scripts").rglob("*.py"))
    assert scripts
    for path in scripts:
        assert not re.search(r"^\s*(from|import) medkd", path.read_text(), re.MULTILINE), path
    # a closure, and not the package: no losses, no trainer, no phantoms
    assert not {"losses", "methods", "phantoms", "visuals", "engines"} & {p.parent.name for p in scripts}
    assert len(scripts) < len(list(Path(medkd.__file__).parent.rglob("*.py"))) / 3


def test_the_zip_holds_the_folder(packed, tmp_path):
    bundle = packed("kits19", "2d")
    with zipfile.ZipFile(f"{bundle}.zip") as archive:
        archive.extractall(tmp_path)
    unzipped = tmp_path / bundle.name
    packed_files, unzipped_files = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (bundle, unzipped)
    )
    # other tests import scripts of the same folder, before or after this one
    assert unzipped_files == {path: data for path, data in packed_files.items() if "__pycache__" not in path.parts}


@pytest.mark.parametrize(("task", "mode"), NETWORKS)
def test_ckpt_export_by_script(packed, task, mode, tmp_path):
    bundle = packed(task, mode)
    ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(bundle / "models/model.pt"),
        meta_file=str(bundle / "configs/metadata.json"),
        config_file=str(bundle / "configs/inference.json"),
        bundle_root=str(bundle),
    )
    network = network_of(bundle)
    image = torch.rand(1, network.in_channels, *(32,) * int(mode[0]))
    assert torch.equal(torch.jit.load(tmp_path / "model.ts")(image), network(image))


@pytest.mark.parametrize(
    ("task", "mode"), [NETWORKS[0], *(pytest.param(*form, marks=pytest.mark.slow) for form in NETWORKS[1:])]
)
def test_onnx_export_agrees_in_onnxruntime(packed, task, mode, tmp_path):
    bundle = packed(task, mode)
    axes = {0: "batch"}
    onnx_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.onnx"),
        ckpt_file=str(bundle / "models/model.pt"),
        meta_file=str(bundle / "configs/metadata.json"),
        config_file=str(bundle / "configs/inference.json"),
        input_shape=(1, 3 if task == "cvc_endoscene" else 1, *(32,) * int(mode[0])),
        converter_kwargs={"dynamic_axes": {"image": axes}, "input_names": ["image"]},
        bundle_root=str(bundle),
    )
    network = network_of(bundle)
    image = torch.rand(1, network.in_channels, *(32,) * int(mode[0]))
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    np.testing.assert_allclose(found, network(image).detach().numpy(), atol=1e-4)


LOAD = """
import monai.bundle, torch
for parent, name, edges in eval(sys.argv[1]):
    network = monai.bundle.load(name, bundle_dir=parent, device="cpu").eval()
    torch.manual_seed(1)
    print("RESULT", float(network(torch.rand(1, network.in_channels, *edges)).double().sum()))
assert not [name for name in sys.modules if name.startswith("medkd.")]
"""


def test_load_as_a_user_of_the_zoo_one_bundle_after_the_other(packed, without_medkd, tmp_path):
    """By default files, from another folder, one of them out of its zip: they have networks of different code."""
    bundles = [packed(task, mode) for task, mode in NETWORKS]
    with zipfile.ZipFile(f"{bundles[2]}.zip") as archive:
        archive.extractall(tmp_path / "unzipped")
    asked = [
        (str(bundle.parent), bundle.name, (32,) * int(mode[0]))
        for bundle, (_, mode) in zip(bundles, NETWORKS, strict=True)
    ]
    asked[2] = (str(tmp_path / "unzipped"), *asked[2][1:])
    lines = without_medkd(LOAD, tmp_path / "elsewhere", repr(asked)).splitlines()
    found = [float(line.split()[1]) for line in lines if line.startswith("RESULT")]
    for bundle, (_, _, edges), value in zip(bundles, asked, found, strict=True):
        network = network_of(bundle)
        torch.manual_seed(1)
        assert float(network(torch.rand(1, network.in_channels, *edges)).double().sum()) == pytest.approx(
            value, rel=1e-6
        )


def test_inference_without_medkd_is_that_of_medkd(
    packed, weights, kits19_data, cvc_data, medkd_run, without_medkd, tmp_path
):
    """Three bundles in one process, in another folder, with the input alone: the same files, byte for byte."""
    scan = kits19_data.parent / "raw/data/case_00000/imaging.nii.gz"
    frame = next(iter(sorted(f for f in cvc_data.rglob("*") if f.parent.name == "images")))
    commands = []
    for task, mode in NETWORKS:
        bundle, source = packed(task, mode), frame if task == "cvc_endoscene" else scan
        options = ["--bundle_root", bundle, "--input", source, "--output_dir", tmp_path / "packed" / bundle.name]
        commands.append(["run", "--config_file", str(bundle / "configs/inference.json"), *map(str, options)])
        words = [
            "--model",
            weights(task, mode)[0],
            "--mode",
            mode,
            "--input",
            source,
            *weights(task, mode)[1],
        ]
        assert medkd_run("infer", task, *words, "--output_dir", tmp_path / "ours" / bundle.name, tiny=False) == 0
    without_medkd(RUN, tmp_path / "elsewhere", repr(commands))
    expected = {
        p.relative_to(tmp_path / "ours"): p.read_bytes() for p in (tmp_path / "ours").rglob("*.*") if p.is_file()
    }
    found = {
        p.relative_to(tmp_path / "packed"): p.read_bytes() for p in (tmp_path / "packed").rglob("*.*") if p.is_file()
    }
    # a prediction and volumes.csv of each, and the labels of ITK-SNAP beside volumes
    assert len(expected) == 8 and found == expected
    predictions = (path for path in (tmp_path / "packed").rglob("*.*") if path.suffix in (".gz", ".png"))
    shares = [_share(path) for path in predictions]
    assert min(shares) > 0.02 and max(shares) < 0.98


def _share(path: Path) -> float:
    """Of foreground."""
    array = np.asarray(nib.load(path).dataobj) if path.name.endswith(".nii.gz") else np.asarray(Image.open(path))
    return float((array > 0).mean())


def test_two_rounds_of_a_federated_client(packed, kits19_data, medkd_run, tmp_path, monkeypatch):
    """Default file names; the second round starts from other weights than the first one ended with."""
    monkeypatch.chdir(tmp_path)
    bundle = shutil.copytree(packed("kits19", "2d"), tmp_path / "client/segmentation")
    options = {"dataset_dir": str(kits19_data), "device": "cpu"}
    client = MonaiAlgo(bundle_root="segmentation", send_weight_diff=False, train_kwargs=options, eval_kwargs=options)
    client.initialize({ExtraItems.CLIENT_NAME: "site", ExtraItems.APP_ROOT: str(tmp_path / "client")})
    weights = torch.load(bundle / "models/model.pt", weights_only=True)
    for _ in range(2):
        client.train(ExchangeObject(weights=weights))
        trained = client.get_weights()
        assert trained.weights.keys() == weights.keys()
        assert not torch.equal(weights["head.weight"], trained.weights["head.weight"])
        best = (bundle / "output/model.pt").read_bytes()
        metrics = client.evaluate(ExchangeObject(weights=trained.weights)).metrics
        assert 0 <= metrics["val_mean_dice"] <= 1
        assert (bundle / "output/model.pt").read_bytes() == best
        weights = {
            name: value if value.ndim == 0 else (value + trained.weights[name]) / 2 for name, value in weights.items()
        }
    assert not (bundle / "output/metrics.csv").exists()
    client.finalize()
    assert_complete_run(bundle / "output", medkd_run, kits19_data, tmp_path)


def assert_complete_run(run: Path, medkd_run, dataset_dir: Path, tmp_path: Path) -> None:
    """The folder of a federated client is read as that of `medkd train`: no option is repeated."""
    folder = RunFolder(run)
    record = folder.require_config()
    assert record["mode"] == "2d" and record["dataset_dir"] == str(dataset_dir) and record["student_width"] == 2
    assert record["trained_with"] == {"mode": "2d", "target": "tumour", "window": [-200, 300]}
    assert "medkd" in folder.read_environment()["versions"]
    assert folder.has_ended and list(run.glob("events.out*")) and list(folder.predictions.iterdir())
    copy = shutil.copytree(run, tmp_path / "copy")
    words = ["--dataset_dir", dataset_dir, "--device", "cpu"]
    evaluate = ["--model", copy, "--output_dir", tmp_path / "again", *words]
    assert medkd_run("evaluate", "kits19", *evaluate, tiny=False) == 0
    assert (tmp_path / "again/metrics.csv").read_bytes() == folder.metrics.read_bytes()
    scan = dataset_dir.parent / "raw/data/case_00000/imaging.nii.gz"
    infer = ["--model", copy, "--input", scan, "--output_dir", tmp_path / "inferred", "--device", "cpu"]
    assert medkd_run("infer", "kits19", *infer, tiny=False) == 0
    report = ["report", "--runs", f"{{'client': '{copy}'}}", "--output_dir", str(tmp_path / "report")]
    assert main(report) == 0 and (tmp_path / "report/table.md").is_file()


def test_a_federated_client_that_has_not_trained_leaves_nothing(packed, kits19_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bundle = shutil.copytree(packed("kits19", "2d"), tmp_path / "segmentation")
    options = {"dataset_dir": str(kits19_data), "device": "cpu"}
    client = MonaiAlgo(bundle_root=str(bundle), train_kwargs=options, eval_kwargs=options)
    client.initialize()
    client.evaluate(ExchangeObject(weights=torch.load(bundle / "models/model.pt", weights_only=True)))
    client.finalize()
    assert not (bundle / "output").exists()


def test_processes_part_after_the_last_step_and_only_a_training_ends_with_a_test(packed):
    configs = packed("kits19", "2d") / "configs"

    def steps(*names: str) -> tuple[list[str], list[str]]:
        config = merge_files([configs / f"{name}.json" for name in names])
        return config["run"], config["finalize"]

    _, ends = steps("train", "distill", "multi_gpu_train")
    assert "@test::evaluator.run()" in ends[0] and ends[1:] == ["$parallel.stop()"]
    run, ends = steps("train", "evaluate", "multi_gpu_train")
    assert "$@test::evaluator.run()" in run and ends == ["$parallel.stop()"]
    run, ends = steps("train", "comparison")
    assert not any("test::evaluator" in step for step in [*run, *ends])


def test_training_from_the_packed_folder(packed, teachers, kits19_data, tmp_path, monkeypatch):
    """With medkd: alone, with a teacher, and an evaluation of the packed model; the network is the packed one."""

    def run(words):
        monkeypatch.setattr("sys.argv", ["monai.bundle", *words])
        runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)

    # the first step sets it for the process of a command line of MONAI
    monkeypatch.setattr("sys.excepthook", sys.excepthook)
    bundle = packed("kits19", "2d")
    configs = bundle / "configs"
    words = ["--bundle_root", str(bundle), "--dataset_dir", str(kits19_data), "--device", "cpu"]
    short = [*words, "--max_epochs", "1"]
    run(["run", "--config_file", str(configs / "train.json"), *short, "--output_dir", str(tmp_path / "alone")])
    two = f"['{configs / 'train.json'}','{configs / 'distill.json'}']"
    teacher = ["--teacher", str(teachers["kits19"]), "--teacher_width", "2", "--method", "hlfd"]
    run(["run", "--config_file", two, *short, *teacher, "--output_dir", str(tmp_path / "distilled")])
    for name in ("alone", "distilled"):
        network = load_weights(network_of(bundle), tmp_path / name)
        assert type(network).__module__.startswith("kits19_")
        assert "tumour" in json.loads((tmp_path / name / "summary.json").read_text())
    two = f"['{configs / 'train.json'}','{configs / 'evaluate.json'}']"
    run(["run", "--config_file", two, *words, "--output_dir", str(tmp_path / "evaluated")])
    assert (tmp_path / "evaluated/metrics.csv").is_file()


STOPPED = (
    RUN.replace("    runpy", "    try:\n        runpy")
    + """\
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
"""
)


def test_bad_options_of_a_packed_bundle_give_one_line_each(packed, without_medkd, tmp_path):
    bundle = packed("kits19", "2d")
    words = ["run", "--config_file", str(bundle / "configs/inference.json"), "--bundle_root", str(bundle)]
    wrong = {
        "unknown option(s): --inputs (did you mean --input": ["--inputs", "x"],
        "was trained with --window [-200, 300], this command has [0, 100]": ["--window", "[0,100]"],
        "input nothing.nii.gz: no such file or folder": ["--input", "nothing.nii.gz"],
    }
    commands = [[*words, *more] for more in wrong.values()]
    said = without_medkd("sys.stderr = sys.stdout\n" + STOPPED, tmp_path / "here", repr(commands)).splitlines()
    errors = [line for line in said if "rror" in line]
    assert len(errors) == len(wrong) and not list((tmp_path / "here").iterdir())
    for line, message in zip(errors, wrong, strict=True):
        assert line.startswith("medkd: error: ") and message in line
