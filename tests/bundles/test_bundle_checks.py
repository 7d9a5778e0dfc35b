"""The model-zoo's checks of a bundle's form, offline."""

import json
from pathlib import Path

import jsonschema
import pytest
from monai.bundle import ConfigParser, verify_net_in_out

from medkd.configs.bundles import BUNDLES, tasks

# what a data set says, where there is none
CLASSES = {
    "nifti": {"classes": {1: "foreground"}, "channels": ["image"]},
    "pictures": {"classes": {1: "foreground"}, "form": "grey", "image_size": [224, 224]},
}
SCHEMA = json.loads((Path(__file__).parent / "metadata_schema.json").read_text())


@pytest.mark.parametrize("task", tasks())
def test_metadata_follows_the_schema(task):
    jsonschema.validate(json.loads((BUNDLES / task / "configs/metadata.json").read_text()), SCHEMA)


@pytest.mark.slow
@pytest.mark.parametrize("task", tasks())
def test_network_takes_and_gives_what_metadata_says(task):
    configs = BUNDLES / task / "configs"
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(configs / "metadata.json"),
        config_file=str(configs / "train.yaml"),
        device="cpu",
        p=1,
        n=1,
        any=1,
        **CLASSES.get(task, {}),
    )


# What MONAI's consumers look up, bundles.md names them all (MONAI Label, MonaiAlgo, load)
TRAIN = """bundle_root device dataset_dir network_def val_interval train::trainer train::trainer::max_epochs train::dataset
train::dataset::data train::inferer train::handlers train::preprocessing validate::evaluator validate::handlers
validate::dataset validate::dataset::data validate::inferer validate::preprocessing validate::postprocessing
validate::key_metric""".split()
INFER = """bundle_root device dataset_dir dataset dataset::data evaluator network_def inferer handlers preprocessing
postprocessing""".split()


@pytest.mark.parametrize("task", tasks())
@pytest.mark.parametrize(("file", "ids"), [("train.yaml", TRAIN), ("inference.yaml", INFER)])
def test_ids_that_consumers_look_for(task, file, ids):
    parser = ConfigParser(ConfigParser.load_config_file(BUNDLES / task / "configs" / file))
    assert [name for name in ids if name not in parser] == []


@pytest.mark.parametrize("task", tasks())
def test_defaults_build_networks_of_known_size(task):
    # TransUNet's 105,276,066 and three heads of 902
    expected = (11_177_538, 36_171_848) if task in ("kits19", "lits") else (31_043_586, 105_276_968)
    if task == "nifti":  # our own choice of a student
        expected = (1_943_778, 36_171_848)
    if task == "pictures":  # of one channel
        expected = (31_042_434, 105_276_968)
    for file in ("train.yaml", "inference.yaml"):
        parser = ConfigParser(ConfigParser.load_config_file(BUNDLES / task / "configs" / file))
        parser.update(CLASSES.get(task, {}))
        networks = (parser.get_parsed_content(name) for name in ("network_def", "teacher_def"))
        assert tuple(sum(p.numel() for p in network.parameters()) for network in networks) == expected
