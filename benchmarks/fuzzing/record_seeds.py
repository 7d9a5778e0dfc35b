"""Valid records, tables, plans and weights that the mutations start from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .image_seeds import SHAPE, voxels


def _write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def _write_yaml(file: Path, content: Any) -> None:
    import yaml

    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content, sort_keys=False))


def datalist(folder: Path) -> None:
    from medkd.data import write_volume

    write_volume(folder / "i.b2nd", voxels(), np.eye(4))
    write_volume(folder / "l.b2nd", (voxels() > 0).astype(np.uint8), np.eye(4))
    entry = {"image": "i.b2nd", "label": "l.b2nd", "shape": list(SHAPE), "spacing": [1.0, 1.0, 1.0]}
    entry |= {"slices_with": {"1": [0, 1], "2": [2]}}
    splits = {
        split: [{**entry, "case": f"c{i}", "patient": f"p{i}"}]
        for i, split in enumerate(("training", "validation", "test"))
    }
    about = {"name": "own", "labels": {"0": "background", "1": "organ", "2": "tumour"}, "modality": {"0": "CT"}}
    _write(folder / "datalist.json", {**about, "per_case": False, "window": [-200, 300], **splits})


def split(folder: Path) -> None:
    _write(folder / "split.json", {"training": ["a", "b", "c"], "validation": ["d"], "test": ["e"], "seed": 0})


def patients(folder: Path) -> None:
    rows = ["case,patient,part,age", *(f"{c},p{c},training,5" for c in "abcd"), "e,pe,validation,6", "f,pf,test,7"]
    (folder / "patients.csv").write_text("\n".join(rows) + "\n")


def _record(task: str = "kits19", method: str = "kd") -> dict[str, Any]:
    from medkd.configs.bundles import config_files
    from medkd.configs.merge import merge_files

    trained = {"mode": "2d", "target": "tumour", "window": [-200, 300]}
    options = {"bundle_root": f"bundles/{task}", "student_width": 2, "teacher_width": 2, "image_size": [32, 32]}
    config = merge_files(config_files("train", task))
    return {**config, **options, "method": method, "seed": 0, "trained_with": trained, "target": "tumour"}


def record(folder: Path) -> None:
    _write_yaml(folder / "config.yaml", _record())
    (folder / "model.pt").touch()


def runs(folder: Path) -> None:
    for name, method in (("run", "plckd"), ("other", "none")):
        run = folder / name
        _write_yaml(
            run / "config.yaml", {key: value for key, value in _record(method=method).items() if key != "train"}
        )
        (run / "model.pt").touch()
        lines = [
            "case,class,dice,iou,rvd,hd95,missed",
            *(f"c{i},tumour,0.{i + 1},0.{i + 1},0.1,3.5,0" for i in range(4)),
        ]
        (run / "metrics.csv").write_text("\n".join(lines) + "\n")
        _write(run / "summary.json", {"tumour": {"dice": {"mean": 0.5, "std": 0.1, "n": 4}}})
        _write(
            run / "environment.json", {"command": ["medkd", "distill", "kits19"], "seed": 0, "versions": {"torch": "2"}}
        )
        _write(run / "mlflow.json", {"tracking": "http://server", "run_id": "5"})
    steps = {"T": 10, "TA_f": 8, "TA_b": 6, "SC": 0}
    scores = {"dice": 0.5, "right_on_false_negatives": 0.1, "right_on_false_positives": 0.2, "beyond_teacher": 0.3}
    scores |= {"wrong_where_teacher_right": None, "interval": [0.1, 0.5]}
    content = {"images": 5, "pixels": 1000, "wrong_pixels_after": {"false negatives": steps, "all": steps}}
    _write(folder / "run/correction.json", {**content, "on_validation_images": {"TA_f": scores, "TA_b": scores}})


def _plan() -> dict[str, Any]:
    rows: dict[str, Any] = {"T": {"role": "teacher"}, "alone": {"method": "none"}, "kd": {"method": "kd"}}
    rows["hlfd"] = {"method": "hlfd", "options": {"method_args::beta": 1.5}}
    plan = {"title": "Two methods", "metrics": ["dice"], "baseline": "alone", "teacher": "T", "seeds": [0, 1]}
    return {
        **plan,
        "teacher_seeds": [0],
        "options": {"max_epochs": 1, "device": "cpu"},
        "tasks": {"kits19": {"options": {}}},
        "rows": rows,
    }


def plan(folder: Path) -> None:
    _write_yaml(folder / "plan.yaml", _plan())


def experiment(folder: Path) -> None:
    commands = {"kits19/kd/seed_0": "medkd distill kits19"}
    _write_yaml(
        folder / "plan.yaml", {"plan": _plan(), "data": {"kits19": "/data"}, "machine": "node", "commands": commands}
    )


def overlay(folder: Path) -> None:
    _write_yaml(folder / "overlay.yaml", {"image_size": [64, 64], "train::batch_size": 2, "student_width": 4})


def _spec() -> Any:
    from medkd.deploy.runtime import ModelSpec

    sizes: dict[str, Any] = {"size": (32, 32), "spacing": None, "overlap": 0.25, "multiple": 1, "channels": 1}
    scale: dict[str, Any] = {"per_case": None, "intensities": (-200, 300), "clip": True, "padding": -1}
    labels: dict[str, Any] = {"classes": {1: "tumour"}, "decide": "argmax", "orientation": "IPL"}
    about: dict[str, Any] = {"task": "kits19", "kind": "slices", "trained_with": {}, "format": "onnx", "version": "1"}
    return ModelSpec(**sizes, **scale, **labels, **about)


def spec(folder: Path) -> None:
    (folder / "spec.json").write_text(_spec().to_json())


def onnx(folder: Path) -> None:
    import onnx as onnx_package

    from medkd.runs.checksums import append_checksum

    helper, float_ = onnx_package.helper, onnx_package.TensorProto.FLOAT
    edges = [helper.make_tensor_value_info(n, float_, ["n", c, "h", "w"]) for n, c in (("image", 1), ("logits", 2))]
    weights = onnx_package.numpy_helper.from_array(np.ones((2, 1, 1, 1), np.float32), "weights")
    node = helper.make_node("Conv", ["image", "weights"], ["logits"])
    model = helper.make_model(
        helper.make_graph([node], "g", edges[:1], edges[1:], [weights]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    helper.set_model_props(model, {"medkd": _spec().to_json()})
    onnx_package.save(model, folder / "a.onnx")
    if folder.stat().st_ino % 2:  # half of the runs with a checksum: without one more of the file is reached
        append_checksum(folder / "a.onnx")


def weights(folder: Path) -> None:
    import torch

    torch.save(torch.nn.Linear(3, 2).state_dict(), folder / "model.pt")


def torchscript(folder: Path) -> None:
    import torch

    torch.jit.save(torch.jit.trace(torch.nn.Linear(3, 2), torch.zeros(1, 3)), folder / "a.ts")


def nnunet(folder: Path) -> None:
    import torch

    from medkd.teachers.nnunet_plans import build_network

    kwargs: dict[str, Any] = {"n_stages": 2, "features_per_stage": [2, 4], "kernel_sizes": [[3, 3]] * 2}
    kwargs |= {"strides": [[1, 1], [2, 2]], "n_conv_per_stage": [1, 1], "n_conv_per_stage_decoder": [1]}
    kwargs |= {"conv_op": "torch.nn.modules.conv.Conv2d", "conv_bias": True, "nonlin": "torch.nn.LeakyReLU"}
    kwargs |= {
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    }
    kwargs |= {"dropout_op": None, "dropout_op_kwargs": None, "nonlin_kwargs": {"inplace": True}}
    kind = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
    requires = ["conv_op", "norm_op", "dropout_op", "nonlin"]
    used: dict[str, Any] = {"patch_size": [32, 32], "normalization_schemes": ["CTNormalization"], "spacing": [1.0, 1.0]}
    used["architecture"] = {"network_class_name": kind, "arch_kwargs": kwargs, "_kw_requires_import": requires}
    intensities = {"mean": 90.0, "std": 60.0, "percentile_00_5": -70.0, "percentile_99_5": 280.0}
    plans = {"configurations": {"used": used, "more": {"inherits_from": "used"}}, "transpose_forward": [0, 1, 2]}
    plans["foreground_intensity_properties_per_channel"] = {"0": intensities}
    _write(folder / "plans.json", plans)
    labels = {"background": 0, "tumour": 1}
    _write(folder / "dataset.json", {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"})
    network = build_network(used, 1, 2)
    (folder / "fold_0").mkdir()
    content = {"network_weights": network.state_dict(), "init_args": {"configuration": "used"}}
    torch.save(content, folder / "fold_0/checkpoint_final.pth")


def bundle(folder: Path) -> None:
    import torch
    from monai.networks.nets import UNet

    network = {
        "_target_": "UNet",
        "spatial_dims": 2,
        "in_channels": 1,
        "out_channels": 2,
        "channels": [2, 4],
        "strides": [2],
    }
    content = {"network_def": network, "preprocessing": {"_target_": "Compose", "transforms": []}}
    _write(folder / "configs/inference.json", content)
    image = {
        "type": "image",
        "format": "hounsfield",
        "num_channels": 1,
        "spatial_shape": [32, 32],
        "value_range": [0, 1],
    }
    prediction = {"type": "image", "num_channels": 2, "channel_def": {"0": "background", "1": "tumour"}}
    data_format = {"inputs": {"image": image}, "outputs": {"pred": prediction}}
    _write(folder / "configs/metadata.json", {"version": "1", "network_data_format": data_format})
    (folder / "models").mkdir()
    torch.save(UNet(2, 1, 2, (2, 4), (2,)).state_dict(), folder / "models/model.pt")


def soft_labels(folder: Path) -> None:
    from medkd.runs.checksums import append_checksum

    np.save(folder / "a.npy", np.zeros((2, 8, 8), np.float16))
    append_checksum(folder / "a.npy")


def progress(folder: Path) -> None:
    from medkd.runs import PredictedCases

    (folder / "model.pt").write_bytes(b"weights")
    cases = PredictedCases(folder, folder / "model.pt", {})
    cases.__enter__()
    cases.add("a", str(folder / "model.pt"))
    cases._lock.release()
