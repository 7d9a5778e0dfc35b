"""A run's configuration from its bundle and the options of its record; code in the record is never executed."""

import pytest
import yaml

from medkd.runs import RunFolder, load_parser
from medkd.runs.rebuild import network_class

UNET = {
    "_target_": "medkd.networks.UNet",
    "spatial_dims": 2,
    "in_channels": 1,
    "out_channels": "@num_classes",
    "width": 2,
}
RECORD = {"bundle_root": "/elsewhere/bundles/kits19", "image_size": [32, 32], "student_width": 4, "output_dir": "/gone"}


@pytest.fixture
def write(tmp_path):
    def write_record(**content):
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({**RECORD, **content}))
        return RunFolder(tmp_path)

    return write_record


def test_options_are_those_of_the_record_and_all_else_of_the_bundle(write):
    # amp: of a run before `auto`
    content = {"trained_with": {"window": [-1, 2], "target": "both"}, "amp": "$'cuda' in str(@device)"}
    folder = write(classes="$data.gone()", imports=["$import gone"], **content)
    parser = load_parser(folder)
    values = {name: parser.get_parsed_content(name) for name in ("window", "num_classes", "image_size", "output_dir")}
    assert values == {"window": [-1, 2], "num_classes": 3, "image_size": [32, 32], "output_dir": str(folder.path)}
    assert sum(p.numel() for p in parser.get_parsed_content("network_def").parameters()) < 50_000


@pytest.mark.parametrize("mode", ["2d", "3d"])
@pytest.mark.parametrize("method", ["kd", "none", "teacher", "boundary_assistant"])
def test_networks_of_each_role_and_mode(write, mode, method):
    size = [32, 32] if mode == "2d" else [16, 32, 32]
    folder = write(method=method, trained_with={"mode": mode}, image_size=size, teacher_width=2, teacher="/gone")
    parser = load_parser(folder)
    name = type(parser.get_parsed_content("network")).__name__
    assert name == ("UNetPlusPlus" if method not in ("kd", "none") else "ResNetFCN" if mode == "2d" else "UNet")
    assert parser.get_parsed_content("image_size") == size


def test_another_network_of_medkd_is_built(write):
    network = load_parser(write(network_def=UNET)).get_parsed_content("network")
    assert type(network).__name__ == "UNet"
    assert network_class(write(network_def=UNET).require_content()) == "UNet"


@pytest.mark.parametrize(
    "content",
    [
        {"network_def": {**UNET, "_target_": "os.system"}},
        {"network_def": {**UNET, "width": "$open('written', 'w')"}},
        {"network_def": {**UNET, "width": {"_target_": "os.getpid"}}},
        {"network_def": {**UNET, "_mode_": "debug"}},
        {"network_def": {**UNET, "_requires_": ["$open('written', 'w')"]}},
        {"network_def": "$open('written', 'w')"},
        {"network_def": "@evil"},
        {"network_def": [UNET]},
        {"teacher_def": {"_target_": "subprocess.run", "args": ["touch", "written"]}},
        {"decide": {"_target_": "mine.decide"}},
        {
            "validate": {
                "preprocessing": {"_target_": "monai.transforms.Compose", "transforms": [{"_target_": "mine.T"}]}
            }
        },
        {"changed": ["validate::preprocessing"]},
        {"changed": ["inferer"]},
        {"changed": ["validate"]},
        {"student_width": "$2 * 4"},
        {"student_width": "@teacher_width"},
        {"bundle_root": "elsewhere/mine"},
    ],
)
def test_what_only_a_trusted_record_can_build(write, content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"config.yaml: .*found .*(trust|expected plain data)"):
        load_parser(write(**content)).get_parsed_content("network")
    assert not (tmp_path / "written").exists()


def test_a_network_by_name_may_have_another_width(write):
    definition = {"_target_": "medkd.networks.build_student", "architecture": "@student_architecture"}
    sizes = {"spatial_dims": 2, "in_channels": "@num_channels", "out_channels": "@num_classes", "width": 3}
    parser = load_parser(write(network_def={**definition, **sizes}, student_architecture="UNet"))
    network = parser.get_parsed_content("network")
    assert type(network).__name__ == "UNet" and network.head.in_channels == 3


def test_a_trusted_record_is_the_configuration(write):
    content = {
        "network_def": {"_target_": "torch.nn.Conv2d", "in_channels": "$1 + 1", "out_channels": 2, "kernel_size": 1}
    }
    content |= {"classes": "$data.gone()", "trained_with": {"classes": {1: "it's @a"}}, "device": "cuda:3"}
    parser = load_parser(write(**content), trust_record=True)
    assert parser.get_parsed_content("network_def").in_channels == 2
    assert parser.get_parsed_content("classes") == {1: "it's @a"}


def test_a_run_without_a_record(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone/config.yaml: no such file, expected the record of a run"):
        load_parser(RunFolder(tmp_path / "gone"))
