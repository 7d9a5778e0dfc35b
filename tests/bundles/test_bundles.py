"""Every task and method on phantoms, run as a user runs them, and what a run leaves behind."""

import importlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from monai.bundle import ConfigParser
from PIL import Image

from medkd import methods
from medkd.cli.workflow import compose
from medkd.configs.bundles import BUNDLES, tasks
from medkd.correction import Correction, FalsePixelQueue
from medkd.data import load_datalist, read_volume
from medkd.data_prep import cvc_endoscene
from medkd.metrics import case_metrics
from medkd.networks import UNet

TASKS = ("cvc_endoscene", "kits19")
LIKE_POLYPS = ("idrid", "isic2018")
LIKE_KIDNEYS = ("lits",)


def test_the_tasks_are_found():
    assert tasks() == sorted((*TASKS, *LIKE_POLYPS, *LIKE_KIDNEYS, "nifti", "pictures"))


@pytest.mark.parametrize("task", LIKE_POLYPS)
def test_bundles_of_pictures_differ_in_the_title_and_the_class_alone(task):
    """So what is tested of one holds for all; each is complete by itself all the same."""
    for name in ("train.yaml", "inference.yaml", "evaluate.yaml"):
        ours, polyps = ((BUNDLES / t / "configs" / name).read_text().splitlines() for t in (task, "cvc_endoscene"))
        differing = [line for line, other in zip(ours, polyps, strict=True) if line != other]
        values = [line.split(":")[0] for line in differing if not line.startswith("# ")]
        assert values == ([] if name == "evaluate.yaml" else ["classes"]) and len(differing) - len(values) <= 1


@pytest.fixture(scope="module")
def students(data, teachers, medkd_run, tmp_path_factory):
    """(task, method) -> output folder: the student alone and by each method, one epoch."""
    root = tmp_path_factory.mktemp("students")
    folders = {}
    for task, method in [(task, method) for task in TASKS for method in ("none", "kd", "hlfd")]:
        folder = folders[task, method] = root / f"{task}_{method}"
        options = ["--dataset_dir", data[task], "--output_dir", folder, "--batch_size", 2]
        if method == "none":
            assert medkd_run("train", task, *options) == 0
        else:
            assert medkd_run("distill", task, "--method", method, "--teacher", teachers[task], *options) == 0
    return folders


def test_a_run_leaves_its_files(students):
    for (task, method), folder in students.items():
        names = {path.name for path in folder.iterdir()}
        expected = {"model.pt", "resume.pt", "config.yaml", "environment.json", "metrics.csv", "summary.json"}
        assert expected | {"predictions", "overlays"} <= names, (task, method)
        assert any(name.startswith("events.out.tfevents") for name in names)
        assert not any("partial" in path.name for path in folder.rglob("*"))
        environment = json.loads((folder / "environment.json").read_text())
        assert environment["seed"] == 0 and environment["versions"]["torch"] == torch.__version__
        assert environment["precision"] == ("float16" if torch.cuda.is_available() else "float32")
        # the kidney's student, a ResNet of width 2, stays contiguous on CPUs too
        is_contiguous = torch.cuda.is_available() or task == "kits19"
        assert environment["memory_format"] == ("contiguous" if is_contiguous else "channels_last")
        weights = torch.load(folder / "model.pt", weights_only=True)
        assert all(value.is_contiguous() for value in weights.values())
        config = yaml.safe_load((folder / "config.yaml").read_text())
        assert config["output_dir"] == str(folder) and config["method"] == method
        assert "@" not in str(config["trained_with"]) and config["trained_with"]
        assert list((folder / "overlays").glob("worst_*.png"))


def test_the_model_is_the_plain_student(students):
    for task in TASKS:
        keys = {
            method: set(torch.load(students[task, method] / "model.pt", weights_only=True))
            for method in ("none", "hlfd")
        }
        assert keys["none"] == keys["hlfd"]
        assert not any("losses" in key or "network." in key for key in keys["hlfd"])


def test_methods_change_the_student(students):
    for task in TASKS:
        states = [torch.load(students[task, m] / "model.pt", weights_only=True) for m in ("none", "kd", "hlfd")]
        for a, b in ((0, 1), (0, 2), (1, 2)):
            assert any(not torch.equal(states[a][key], states[b][key]) for key in states[a])


def test_every_method_starts_from_the_same_student_and_sees_the_same_batches(data, teachers, tmp_path):
    def start(files, **options):
        parser = ConfigParser(ConfigParser.load_config_files([str(BUNDLES / file) for file in files]))
        small = {"image_size": [32, 32], "teacher_width": 2, "student_width": 2, "max_epochs": 1, "device": "cpu"}
        for name, value in {
            **small,
            "dataset_dir": str(data["kits19"]),
            "output_dir": str(tmp_path),
            **options,
        }.items():
            parser[name] = value
        parser.get_parsed_content("initialize")
        trainer, state = parser.get_parsed_content("train::trainer"), parser.get_parsed_content("state")
        weights = {name: value.clone() for name, value in trainer.network.state_dict().items()}
        trainer.state.epoch = 1
        state._seed_epoch(trainer)
        return weights, [batch["image"] for batch in trainer.data_loader]

    train, distill = "kits19/configs/train.yaml", "overlays/distill.yaml"
    weights, batches = start([train])
    teacher = str(teachers["kits19"])
    for method in ("kd", "hlfd"):
        other_weights, other_batches = start([train, distill], teacher=teacher, method=method)
        assert all(torch.equal(weights[name], other_weights[name]) for name in weights)
        assert len(batches) == len(other_batches) > 0
        assert all(torch.equal(a, b) for a, b in zip(batches, other_batches, strict=True))
    other_seed, _ = start([train], seed=1)
    assert any(not torch.equal(weights[name], other_seed[name]) for name in weights)


def test_metrics_are_those_of_the_written_predictions(students, data):
    folder = students["kits19", "none"]
    table = pd.read_csv(folder / "metrics.csv").set_index("case")
    entries = load_datalist(data["kits19"], "test")
    assert sorted(table.index) == sorted(entry["case"] for entry in entries)
    for entry in entries:
        prediction = nib.load(folder / "predictions" / f"{entry['case']}.nii.gz")
        raw, affine = read_volume(entry["label"])
        np.testing.assert_allclose(prediction.affine, affine)
        arrays = (torch.from_numpy(np.asarray(a)) for a in (prediction.dataobj, (raw == 2).astype(np.uint8)))
        spacing = np.sqrt((affine[:3, :3] ** 2).sum(0))
        (row,) = case_metrics(*arrays, {1: "tumour"}, spacing.tolist())
        for name in ("dice", "iou", "rvd", "volume_truth", "volume_prediction"):
            assert table.loc[entry["case"], name] == pytest.approx(row[name], rel=1e-5, nan_ok=True)
    summary = json.loads((folder / "summary.json").read_text())
    assert set(summary) == {"tumour"}
    assert summary["tumour"]["dice"] == pytest.approx(
        {"mean": table["dice"].mean(), "std": table["dice"].std() if len(table) > 1 else 0.0, "n": len(table)}
    )


def test_predictions_of_frames_have_their_size(students, data):
    for entry in load_datalist(data["cvc_endoscene"], "test"):
        with (
            Image.open(entry["image"]) as frame,
            Image.open(students["cvc_endoscene", "none"] / "predictions" / f"{entry['case']}.png") as mask,
        ):
            assert frame.size == mask.size
            assert set(np.unique(mask)) <= {0, 255}


def test_evaluate_again_gives_the_same_table(students, data, medkd_run, tmp_path):
    for task in TASKS:
        model = students[task, "none"]
        options = ["--model", model, "--dataset_dir", data[task], "--output_dir", tmp_path / task]
        assert medkd_run("evaluate", task, *options) == 0
        assert (tmp_path / task / "metrics.csv").read_text() == (model / "metrics.csv").read_text()
        assert (tmp_path / task / "evaluate_environment.json").exists()


def test_evaluate_by_the_protocol_of_the_paper(students, data, medkd_run, tmp_path):
    model = students["kits19", "none"]
    options = ["--model", model, "--dataset_dir", data["kits19"], "--output_dir", tmp_path, "--protocol", "hlfd"]
    assert medkd_run("evaluate", "kits19", *options) == 0
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert set(table["protocol"]) == {"hlfd"}
    assert (table["dice"] > 0).all()  # smoothed by 1


@pytest.mark.parametrize(("target", "names"), [("organ", ["kidney"]), ("both", ["kidney", "tumour"])])
def test_targets(data, medkd_run, tmp_path, target, names):
    options = ["--dataset_dir", data["kits19"], "--output_dir", tmp_path / "run", "--target", target]
    assert medkd_run("train", "kits19", *options) == 0
    assert list(json.loads((tmp_path / "run/summary.json").read_text())) == names


@pytest.mark.parametrize("task", TASKS)
def test_images_need_not_be_square(data, medkd_run, tmp_path, task):
    options = ["--dataset_dir", data[task], "--output_dir", tmp_path / "run", "--image_size", "[32,64]"]
    assert medkd_run("train", task, *options) == 0


def test_method_arguments_reach_the_loss(data, teachers, medkd_run, tmp_path, capsys):
    options = ["--dataset_dir", data["kits19"], "--teacher", teachers["kits19"], "--method", "kd"]
    totals = []
    for weight in (0.0, 1.0):
        words = [*options, "--output_dir", tmp_path / str(weight), "--method_args::weight", weight]
        assert medkd_run("distill", "kits19", *words) == 0
        totals.append(capsys.readouterr().out)
    assert " kd 0.0000" in totals[0] and " kd 0.0000" not in totals[1]


def test_overlays_of_runs_compose(data):
    options = {"dataset_dir": "D", "output_dir": "O", "method": "hlfd"}
    words = compose("distill", "kits19", options).words
    assert words[:2] == ["run", "--config_file"]
    assert "train.yaml" in words[2] and "distill.yaml" in words[2]
    assert words[-2:] == ["--method", "hlfd"]


@pytest.fixture(scope="module")
def scribbler(tmp_path_factory):
    """Channels -> folder of an untrained UNet, whose predictions have both classes in every image, in odd shapes."""
    folders = {}
    for channels in (1, 3):
        torch.manual_seed(3)
        network = UNet(2, channels, 2, width=2).eval()
        # equal biases would leave one class winning almost everywhere: put the threshold at the median
        logits = network(torch.rand(4, channels, 32, 32) * 2 - 1)
        network.head.bias.data[1] += (logits[:, 0] - logits[:, 1]).median().detach()
        folders[channels] = tmp_path_factory.mktemp(f"scribbler{channels}")
        torch.save(network.state_dict(), folders[channels] / "model.pt")
    return folders


def is_mixed(labels):
    return 0.02 < (np.asarray(labels) > 0).mean() < 0.98


def test_inference_gives_the_evaluations_prediction(scribbler, data, medkd_run, tmp_path):
    """The way through raw NIfTI and through the slice store must agree voxel for voxel."""
    options = ["--model", scribbler[1], "--student_architecture", "UNet"]
    words = [*options, "--dataset_dir", data["kits19"], "--output_dir", tmp_path / "evaluated"]
    assert medkd_run("evaluate", "kits19", *words) == 0
    (entry, *_) = load_datalist(data["kits19"], "test")
    raw = data["kits19"].parent / "raw" / "data" / entry["case"] / "imaging.nii.gz"
    words = [*options, "--input", raw, "--output_dir", tmp_path / "inferred", "--save_probabilities", "True"]
    assert medkd_run("infer", "kits19", *words) == 0
    written, source = nib.load(tmp_path / f"inferred/{entry['case']}.nii.gz"), nib.load(raw)
    stored = nib.load(tmp_path / f"evaluated/predictions/{entry['case']}.nii.gz")
    assert written.shape == source.shape and np.array_equal(written.affine, source.affine)
    assert is_mixed(written.dataobj)
    np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(stored.dataobj))
    probabilities = np.asarray(nib.load(tmp_path / f"inferred/{entry['case']}_probabilities.nii.gz").dataobj)
    np.testing.assert_array_equal(probabilities > 0.5, np.asarray(written.dataobj) == 1)


def test_inference_turns_with_the_scan(scribbler, data, medkd_run, tmp_path, capfd):
    """The same body on other axes gives the same labels at the same places in the world."""
    case = load_datalist(data["kits19"], "test")[0]["case"]
    source = nib.load(data["kits19"].parent / "raw" / "data" / case / "imaging.nii.gz")
    (tmp_path / "in").mkdir()
    nib.save(source, tmp_path / "in/kits.nii.gz")
    canonical = nib.as_closest_canonical(source)
    canonical.set_qform(np.diag([-1, -1, 1, 1]) @ canonical.affine, 1)  # another one: what is taken is said
    nib.save(canonical, tmp_path / "in/ras.nii.gz")
    nib.save(canonical, tmp_path / "in/ras_seg.nii.gz")
    options = ["--model", scribbler[1], "--student_architecture", "UNet"]
    assert medkd_run("infer", "kits19", *options, "--input", tmp_path / "in", "--output_dir", tmp_path / "out") == 0
    said = capfd.readouterr().err
    assert "skipped: ras_seg.nii.gz: label maps beside their images" in said
    assert f"note: {tmp_path / 'in/ras.nii.gz'}: sform (axes RAS) and qform (axes LPS) differ" in said
    assert len(list((tmp_path / "out").glob("*.nii.gz"))) == 2
    first, second = (nib.load(tmp_path / f"out/{name}.nii.gz") for name in ("kits", "ras"))
    assert nib.aff2axcodes(first.affine) == ("I", "P", "L") and nib.aff2axcodes(second.affine) == ("R", "A", "S")
    assert is_mixed(first.dataobj)
    np.testing.assert_array_equal(np.asarray(nib.as_closest_canonical(first).dataobj), np.asarray(second.dataobj))


def test_inference_reads_every_kind_of_picture(scribbler, medkd_run, tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    picture = Image.fromarray(colours).quantize(16)  # a palette: the same colours in every form below
    (tmp_path / "in").mkdir()
    for mode in ("P", "RGB", "RGBA"):
        picture.convert(mode).save(tmp_path / f"in/{mode}.png")
    options = ["--model", scribbler[3], "--input", tmp_path / "in", "--output_dir", tmp_path / "out"]
    assert medkd_run("infer", "cvc_endoscene", *options) == 0
    masks = [np.asarray(Image.open(tmp_path / f"out/{mode}.png")) for mode in ("P", "RGB", "RGBA")]
    assert is_mixed(masks[0])
    np.testing.assert_array_equal(masks[0], masks[1])
    np.testing.assert_array_equal(masks[0], masks[2])


def test_inference_on_pictures(scribbler, data, medkd_run, tmp_path):
    options = ["--model", scribbler[3]]
    words = [*options, "--dataset_dir", data["cvc_endoscene"], "--output_dir", tmp_path / "evaluated"]
    assert medkd_run("evaluate", "cvc_endoscene", *words) == 0
    entries = load_datalist(data["cvc_endoscene"], "test")
    source = Path(entries[0]["image"]).parent
    assert medkd_run("infer", "cvc_endoscene", *options, "--input", source, "--output_dir", tmp_path / "out") == 0
    for entry in entries:
        folders = (tmp_path / "out", tmp_path / "evaluated/predictions")
        ours, stored = (np.asarray(Image.open(folder / f"{entry['case']}.png")) for folder in folders)
        assert is_mixed(ours) and ours.shape[::-1] == Image.open(entry["image"]).size
        np.testing.assert_array_equal(ours, stored)


@pytest.mark.parametrize("task", tasks())
def test_metadata_is_complete(task):
    metadata = json.loads((BUNDLES / task / "configs/metadata.json").read_text())
    assert metadata["version"] in metadata["changelog"]
    for key in ("monai_version", "pytorch_version", "numpy_version", "task", "description", "authors", "copyright"):
        assert metadata[key]
    for name in ("LICENSE", "docs/README.md", "docs/data_license.txt", "configs/logging.conf"):
        assert (BUNDLES / task / name).is_file(), name


@pytest.mark.parametrize("task", TASKS)
def test_the_pages_transformer_teaches(task, data, medkd_run, tmp_path, capsys):
    text = (BUNDLES.parent / "docs/how-to/other_networks.md").read_text().split("```yaml\n")[1].split("```")[0]
    channels = "in_channels: 1" if task == "kits19" else "in_channels: 3"
    overlay = tmp_path / "swin.yaml"
    overlay.write_text(text.replace("feature_size: 24", "feature_size: 12").replace("in_channels: 1", channels))
    options = ["--overlay", overlay, "--image_size", "[64,64]"]
    assert medkd_run("layers", task, "--role", "teacher", *options, tiny=False) == 0
    assert "network.encoder10  UnetrBasicBlock  (1, 192, 2, 2)" in capsys.readouterr().out
    runs = [*options, "--dataset_dir", data[task]]
    assert medkd_run("train", task, "--role", "teacher", *runs, "--output_dir", tmp_path / "teacher") == 0
    options = ["--method", "hlfd", "--teacher", tmp_path / "teacher"]
    assert medkd_run("distill", task, *runs, *options, "--output_dir", tmp_path / "student") == 0
    assert (tmp_path / "student/metrics.csv").stat().st_size > 0


# a method a task in turn; two of them, with a state of their own, in every run of the tests
REST = [name for name in methods.names() if name not in ("none", "kd", "hlfd")]
QUICK = ("cirkd", "skd")


@pytest.mark.parametrize(
    ("task", "method"),
    [
        pytest.param(TASKS[i % 2], method, marks=() if method in QUICK else pytest.mark.slow)
        for i, method in enumerate(REST)
    ],
)
@pytest.mark.filterwarnings("ignore:DKDLoss")
def test_every_other_method_trains(task, method, data, teachers_64, medkd_run, tmp_path):
    options = ["--dataset_dir", data[task], "--image_size", "[64,64]", "--batch_size", 2, "--output_dir", tmp_path]
    options += ["--method_args::labelled", True] if method == "pseudo" else []
    assert medkd_run("distill", task, "--method", method, "--teacher", teachers_64[task], *options) == 0
    assert set(torch.load(tmp_path / "model.pt", weights_only=True)) == set(
        torch.load(tmp_path / "resume.pt", weights_only=True)["objects"]["network"]
    )


@pytest.fixture(scope="module")
def teachers_64(data, medkd_run, tmp_path_factory):
    """Task -> a teacher of larger images: SKD's discriminator wants edges of 64."""
    folder = tmp_path_factory.mktemp("teachers_64")
    for task in TASKS:
        options = ["--dataset_dir", data[task], "--image_size", "[64,64]", "--output_dir", folder / task]
        assert medkd_run("train", task, "--role", "teacher", *options) == 0
    return {task: folder / task for task in TASKS}


def test_plckd_trains_what_its_team_lacks_and_reuses_what_is_there(data, medkd_run, tmp_path, capsys):
    options = ["--dataset_dir", data["cvc_endoscene"], "--batch_size", 4, "--method", "plckd"]
    own = ["--output_dir", tmp_path / "student", "--false_pixel_assistant::mix_real"]
    assert medkd_run("distill", "cvc_endoscene", *options, *own, 0.25) == 0
    said = capsys.readouterr().out
    missing = [line.split()[1] for line in said.splitlines() if line.startswith("medkd: ")]
    assert missing == ["teacher", "false_pixel_assistant", "boundary_assistant"]
    assert "false pixels of the teacher in the queue (16384 at most)" in said and "plckd epoch 1/1" in said
    team = tmp_path / "student/team"
    assert yaml.safe_load((team / "false_pixel_assistant/config.yaml").read_text())["mix_real"] == 0.25
    assert "mix_real" not in yaml.safe_load((team / "boundary_assistant/config.yaml").read_text())
    assert medkd_run("distill", "cvc_endoscene", *options, *own, 0.75) in (1, 2)
    assert "was trained with --mix_real 0.25, this command has 0.75" in capsys.readouterr().err
    weights = {role: torch.load(team / role / "model.pt", weights_only=True) for role in missing}
    assert not torch.equal(weights["teacher"]["head.weight"], weights["boundary_assistant"]["head.weight"])
    pictures = {path.name.split("_cvc")[0] for path in (tmp_path / "student/figures").iterdir()}
    assert {"soft_labels", "boundary_transform"} <= pictures
    assert "queue" in torch.load(team / "false_pixel_assistant/resume.pt", weights_only=True)["objects"]

    paths = [word for role in missing for word in (f"--{role}", team / role)]
    for method in ("plckd", "swap", "kd"):
        words = [*options[:-1], method, *paths, "--output_dir", tmp_path / method]
        assert medkd_run("distill", "cvc_endoscene", *words) == 0
    assert "is missing" not in capsys.readouterr().out
    ends = {
        name: torch.load(tmp_path / name / "model.pt", weights_only=True)["head.weight"]
        for name in ("student", "plckd", "swap", "kd")
    }
    assert torch.equal(ends["student"], ends["plckd"])
    report = json.loads((tmp_path / "plckd/correction.json").read_text())
    assert report["wrong_pixels_after"]["wrong"]["T"] > 0 and report["wrong_pixels_after"]["wrong"]["SC"] == 0
    scores = report["on_validation_images"]
    assert list(scores) == ["T", "TA_f", "TA_b"] and scores["TA_f"]["n"] == scores["T"]["n"] > 0
    assert "beyond_teacher" in scores["TA_b"] and "beyond_teacher" not in scores["T"]
    assert not (tmp_path / "swap/figures").exists()
    assert not (tmp_path / "swap/correction.json").exists() and not (tmp_path / "kd/correction.json").exists()
    assert not torch.equal(ends["kd"], ends["plckd"]) and not torch.equal(ends["kd"], ends["swap"])


@pytest.mark.parametrize("task", [LIKE_POLYPS[0], pytest.param(LIKE_POLYPS[1], marks=pytest.mark.slow)])
def test_plckd_with_cached_labels_on_the_other_pictures(task, more_data, medkd_run, tmp_path, capsys):
    options = ["--dataset_dir", more_data[task], "--batch_size", 4, "--method", "plckd", "--soft_labels", "cached"]
    assert medkd_run("distill", task, *options, "--output_dir", tmp_path / "run") == 0
    said = capsys.readouterr().out
    assert "soft labels of" in said and "overlays/cached.yaml" in said
    assert list((more_data[task] / "soft_labels").glob("*/*.npy"))
    (name,) = json.loads((tmp_path / "run/summary.json").read_text())
    assert name == {"idrid": "optic_disc", "isic2018": "lesion"}[task]
    case = load_datalist(more_data[task], "test")[0]
    assert (
        medkd_run("infer", task, "--model", tmp_path / "run", "--input", case["image"], "--output_dir", tmp_path) == 0
    )
    with Image.open(case["image"]) as image, Image.open(tmp_path / f"{case['case']}.png") as mask:
        assert image.size == mask.size


def test_cached_labels_of_slices(data, teachers, medkd_run, tmp_path, capsys):
    """Slices are stored whole, larger than the patches that are cropped from them."""
    options = [
        "--dataset_dir",
        data["kits19"],
        "--teacher",
        teachers["kits19"],
        "--soft_labels_dir",
        tmp_path / "store",
    ]
    words = ["--soft_labels", "cached", *options, "--output_dir"]
    assert medkd_run("distill", "kits19", "--method", "kd", *words, tmp_path / "kd") == 0
    assert "kd epoch 1/1" in capsys.readouterr().out
    assert {np.load(file).shape for file in (tmp_path / "store").glob("*/*.npy")} == {(2, 48, 48)}
    assert medkd_run("distill", "kits19", "--method", "hlfd", *words, tmp_path / "hlfd") in (1, 2)
    assert (
        "method hlfd reads maps of the teacher (features; for hlfd), which --soft_labels cached"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "hlfd").exists()


def test_a_student_sees_the_same_batches_with_cached_labels(data, teachers, medkd_run, tmp_path):
    task = "cvc_endoscene"
    options = ["--dataset_dir", data[task], "--method", "kd", "--teacher", teachers[task], "--method_args::weight", 0.0]
    for way in ("online", "cached"):
        assert medkd_run("distill", task, "--soft_labels", way, *options, "--output_dir", tmp_path / way) == 0
    online, cached = (torch.load(tmp_path / way / "model.pt", weights_only=True) for way in ("online", "cached"))
    assert all(torch.equal(online[name], cached[name]) for name in online)


def test_figures_by_command(students, data, teachers, medkd_run, tmp_path, capsys):
    teacher, out = teachers["cvc_endoscene"], tmp_path / "figures"
    team = [
        word for role in ("teacher", "false_pixel_assistant", "boundary_assistant") for word in (f"--{role}", teacher)
    ]
    words = ["--dataset_dir", data["cvc_endoscene"], "--output_dir", out]
    case = load_datalist(data["cvc_endoscene"], "training")[0]["case"]
    assert medkd_run("figures", "cvc_endoscene", *team, *words, "--cases", case) == 0
    assert {f"soft_labels_{case}.png", f"boundary_transform_{case}.png"} <= {path.name for path in out.iterdir()}
    assert (out / "figures_environment.json").exists()
    assert medkd_run("figures", "cvc_endoscene", *team, *words) in (1, 2)
    assert "already holds results" in capsys.readouterr().err

    runs = {"student": str(students["kits19", "none"]), "kd": str(students["kits19", "kd"])}
    words = ["--dataset_dir", data["kits19"], "--output_dir", tmp_path / "comparison"]
    assert medkd_run("figures", "kits19", "--runs", runs, *words) == 0
    assert (tmp_path / "comparison/comparison.png").stat().st_size > 0
    for wrong in ([], ["--runs", runs, "--teacher", teachers["kits19"]]):
        assert medkd_run("figures", "kits19", *wrong, *words) in (1, 2)
        assert "medkd figures needs --run (compares predictions of runs) or --teacher" in capsys.readouterr().err


@pytest.fixture
def told_apart(tmp_path):
    """Frames of 32 x 32: those of training are dark with a lesion of 81 pixels, all others bright with one of 49."""
    random = np.random.default_rng(0)
    for number in (26, 27, 28, 29, 51, 52, 1, 2):  # published: four of training, two of validation, two of test
        image, mask = random.integers(0, 100, (32, 32, 3)), np.zeros((32, 32), np.uint8)
        edge, brighter = (9, 0) if 26 <= number <= 50 else (7, 150)
        mask[8 : 8 + edge, 8 : 8 + edge] = 255
        for folder, array in (("images", (image + brighter).astype(np.uint8)), ("masks", mask)):
            (tmp_path / "raw" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(tmp_path / "raw" / folder / f"{number}.png")
    cvc_endoscene.prepare(tmp_path / "raw", tmp_path / "data")
    return tmp_path / "data"


def test_what_reads_labels_sees_training_images_alone(told_apart, medkd_run, tmp_path, monkeypatch):
    """The queue of false pixels, the boundary transform and the correction, in a whole run of plckd."""
    seen = {"pushed": [], "transformed": [], "corrected": []}

    def watch(owner, name, kind, find):
        original = getattr(owner, name)

        def watched(*args, **keywords):
            seen[kind].append(find(args))
            return original(*args, **keywords)

        monkeypatch.setattr(owner, name, watched)

    watch(FalsePixelQueue, "push", "pushed", lambda args: (args[1], args[2]))
    watch(
        importlib.import_module("medkd.plckd.batches"),
        "boundary_transform",
        "transformed",
        lambda args: (args[0], args[1]),
    )
    watch(Correction, "__call__", "corrected", lambda args: (None, args[2]))
    options = ["--dataset_dir", told_apart, "--method", "plckd", "--output_dir", tmp_path / "run", "--batch_size", 2]
    assert medkd_run("distill", "cvc_endoscene", *options) == 0
    for kind, calls in seen.items():
        assert calls, kind
        for image, label in calls:
            assert (label > 0).flatten(1).sum(1).unique().tolist() == [81]
            assert image is None or image.max() < 0
