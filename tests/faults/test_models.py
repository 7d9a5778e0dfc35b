"""Faults of model files, for every verb that reads one: one line, nothing in the file is executed, nothing is written."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml


class Code:
    """A pickle that makes a file when it is loaded the careless way."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def truncated(folder, state):
    content = (folder / "model.pt").read_bytes()
    (folder / "model.pt").write_bytes(content[: len(content) // 2])


def pickled_code(folder, state):
    torch.save({**state, "code": Code(folder.parent / "executed")}, folder / "model.pt")


def plain_pickle_of_code(folder, state):
    with open(folder / "model.pt", "wb") as file:
        pickle.dump(Code(folder.parent / "executed"), file)


def other_classes(folder, state):
    name = [name for name in state if name.endswith("weight")][-1]
    three = {**state, name: torch.zeros(3, *state[name].shape[1:])}
    torch.save(three, folder / "model.pt")


def save(make):
    return lambda folder, state: torch.save(make(state), folder / "model.pt")


UNREADABLE = "model.pt: not a readable file of weights: "
MODELS = {
    "missing": (
        lambda folder, state: (folder / "model.pt").unlink(),
        "model.pt: no such file, expected the model.pt of",
    ),
    "empty": (lambda folder, state: (folder / "model.pt").write_bytes(b""), UNREADABLE + "it is empty"),
    "truncated": (truncated, UNREADABLE + r"its \d+ bytes are damaged, truncated, or no file of PyTorch"),
    "text": (
        lambda folder, state: (folder / "model.pt").write_text("weights " * 50),
        UNREADABLE + "it is a text that begins with 'weights weights weights weight': expected a file of weights",
    ),
    "a folder": (
        lambda folder, state: ((folder / "model.pt").unlink(), (folder / "model.pt").mkdir()),
        "model.pt: no such file, expected the model.pt of",
    ),
    "code": (pickled_code, UNREADABLE + r"it holds \w*\.?open, expected tensors and plain values alone"),
    "a pickle of code": (plain_pickle_of_code, UNREADABLE + "(it holds|its .* bytes are damaged)"),
    "NumPy's arrays": (
        save(lambda state: {name: np.zeros(3) for name in state}),
        "model.pt: holds dict .*, expected the state dict of a",
    ),
    "a whole network": (
        save(lambda state: torch.nn.Conv2d(1, 2, 1)),
        UNREADABLE + "it holds torch.nn.*Conv2d, expected",
    ),
    "a list": (save(lambda state: list(state.values())), "model.pt: holds list, expected the state dict of a"),
    "another network": (
        save(lambda state: torch.nn.Conv2d(1, 2, 1).state_dict()),
        r"model.pt: weights of another network, \d+ tensors do not fit \w+; first: \S+ is .* in the file",
    ),
    "other classes": (other_classes, r"model.pt: weights of another network, \d+ tensors? do(es)? not fit"),
    "NaN": (
        save(lambda state: {n: v * float("nan") if v.is_floating_point() else v for n, v in state.items()}),
        r"model.pt: \S+ holds NaN or infinity",
    ),
}


def uses(task, data, folder, tmp_path):
    """Verb -> its words with a model of that folder."""
    out = ["--output_dir", tmp_path / "output"]
    source = next(iter((data[task] / ("imagesTr" if task == "kits19" else "images")).iterdir()))
    shutil.copy(source, tmp_path / "scan.png")
    return {
        "evaluate": [task, "--role", "teacher", "--model", folder, "--dataset_dir", data[task], *out],
        "infer": [task, "--role", "teacher", "--model", folder, "--input", tmp_path / "scan.png", *out],
        "distill": [task, "--teacher", folder, "--dataset_dir", data[task], *out],
        "figures": [task, "--teacher", folder, "--dataset_dir", data[task], *out],
    }


@pytest.fixture
def folder(teachers, tmp_path):
    """A copy of the polyps' teacher's run."""
    (tmp_path / "run").mkdir()
    for name in ("model.pt", "config.yaml"):
        shutil.copy(teachers["cvc_endoscene"] / name, tmp_path / "run")
    return tmp_path / "run"


# what is told of a file is the same for all verbs: each file with one of them, files with code in them with each
VERBS = ("infer", "evaluate", "distill")
PAIRS = [(VERBS[number % 3], name) for number, name in enumerate(MODELS)]
PAIRS += [(verb, name) for verb in VERBS for name in ("code", "a pickle of code") if (verb, name) not in PAIRS]


@pytest.mark.parametrize(("verb", "name"), PAIRS)
def test_a_model_that_cannot_be_used(verb, name, data, folder, refused, tmp_path):
    spoil, message = MODELS[name]
    spoil(folder, torch.load(folder / "model.pt", weights_only=True))
    words = uses("cvc_endoscene", data, folder, tmp_path)[verb]
    line = refused(message, verb, *words)
    assert "weights_only" not in line
    assert not (tmp_path / "executed").exists()


def test_the_code_of_these_files_would_have_run(tmp_path):
    """What the tests above prove not to happen does happen to the careless."""
    (tmp_path / "run").mkdir()
    pickled_code(tmp_path / "run", {})
    torch.load(tmp_path / "run/model.pt", weights_only=False)
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("verb", ["evaluate", "infer", "distill", "figures"])
def test_the_model_of_another_task(verb, data, teachers, refused, tmp_path):
    words = uses("cvc_endoscene", data, teachers["kits19"], tmp_path)[verb]
    option = "model" if verb in ("evaluate", "infer") else "teacher"
    refused(f"--{option} .*kits19: found a model of the task kits19, expected one of cvc_endoscene", verb, *words)


def test_a_path_that_is_not_there(data, refused, tmp_path):
    for verb, words in uses("cvc_endoscene", data, tmp_path / "nowhere", tmp_path).items():
        option = "model" if verb in ("evaluate", "infer") else "teacher"
        refused(f"--{option} .*nowhere: no such file or folder", verb, *words)


def test_a_model_used_otherwise_than_trained(teachers, kits19_data, refused, tmp_path):
    message = r"was trained with --window \[-200, 300\], this command has \[0, 5\]"
    words = ["kits19", "--dataset_dir", kits19_data, "--output_dir", tmp_path / "o", "--window", "[0,5]"]
    refused(message, "evaluate", *words, "--role", "teacher", "--model", teachers["kits19"])
    refused(message, "distill", *words, "--teacher", teachers["kits19"])


def test_a_checkpoint_of_training_is_refused_when_damaged(teachers, kits19_data, refused, tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("model.pt", "config.yaml"):
        shutil.copy(teachers["kits19"] / name, tmp_path / "run")
    content = (teachers["kits19"] / "resume.pt").read_bytes()
    options = ["kits19", "--role", "teacher", "--dataset_dir", kits19_data, "--output_dir", tmp_path / "run"]
    for damaged, reason in ((content[:-500], "its .* bytes are damaged, truncated"), (b"", "it is empty")):
        (tmp_path / "run/resume.pt").write_bytes(damaged)
        message = f"resume: .*resume.pt: not a readable file of weights: {reason}"
        refused(message, "train", *options, "--resume", "True")
    shutil.copy(teachers["kits19"] / "model.pt", tmp_path / "run/resume.pt")
    message = "resume: .*resume.pt: no checkpoint of a training, expected the resume.pt of a run"
    refused(message, "train", *options, "--resume", "True")


def test_whatever_is_damaged_is_told(tmp_path):
    """Damaged pickles end in errors of many types; the same words are told of all."""
    from medkd.networks.weight_file import read_weights

    torch.save({"a": torch.zeros(3), "b": [1, "x"]}, tmp_path / "model.pt")
    content, generator = (tmp_path / "model.pt").read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = np.frombuffer(content, np.uint8).copy()
        damaged[generator.integers(0, 300, 3)] = generator.integers(0, 256, 3)
        (tmp_path / "model.pt").write_bytes(damaged.tobytes())
        try:
            read_weights(tmp_path / "model.pt")
        except ValueError as error:
            refused += 1
            assert "model.pt: not a readable file of weights: " in str(error)
    assert refused > 100


def test_a_record_that_is_no_yaml_is_told(folder, data, refused, tmp_path):
    """A damaged record is not a missing one: what only a record tells would be guessed."""
    (folder / "config.yaml").write_text("{ not: yaml")
    words = uses("cvc_endoscene", data, folder, tmp_path)["infer"]
    refused(r"config.yaml: not YAML \(.*\), expected the record of a run", "infer", *words, "--teacher_width", 4)


def test_the_record_of_another_class_of_network(folder, data, refused, tmp_path):
    record = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump({**record, "teacher_width": 4}))
    words = uses("cvc_endoscene", data, folder, tmp_path)["distill"]
    line = refused("weights of another network", "distill", *words, "--teacher_width", 4)
    assert "TransUNet" in line
