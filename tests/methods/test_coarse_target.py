"""The note where the importance map that a method teaches has few positions."""

import pytest

from medkd import methods
from medkd.networks import FeatureTaps, ResNetFCN, TransUNet, UNet, UNetPlusPlus, default_taps


def note_of(capsys, name, args, network, image_size):
    methods.note_coarse_target(name, args, FeatureTaps(network, **default_taps(network)), image_size)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "args", "image_size", "positions"),
    [
        (
            "hlfd",
            {},
            (64, 64),
            "the target of IFD, has 4 x 4 = 16 positions for images of 64 x 64, fewer than 64: use larger",
        ),
        ("hlfd", {"preset": "repo", "terms": ["ifd"]}, [96, 128], "6 x 8 = 48 positions for images of 96 x 128"),
        ("hlfd_hifd", {}, (64, 64), "the target of imd, has 4 x 4 = 16 positions"),
        ("hlfd_ifd", {}, (64, 64), "the target of imd, has 4 x 4 = 16 positions"),
        ("hlfd_skd", {}, (112, 112), "the target of imd, has 7 x 7 = 49 positions"),
        ("hifd", {}, (64, 64), "the target of hifd, has 4 x 4 = 16 positions"),
        ("at", {"tap": "encoder.1 -> encoder.-1"}, (64, 64), "the target of at, has 4 x 4 = 16 positions"),
    ],
)
def test_a_note_says_that_the_bottleneck_has_few_positions(name, args, image_size, positions, capsys):
    note = note_of(capsys, name, args, UNet(2, 1, 2, width=2), image_size)  # stride 16
    assert note.startswith(f"note: method {name}: the teacher's bottleneck, the target of ")
    assert note.count("\n") == 1 and positions in note and "use larger images" in note


@pytest.mark.parametrize(
    ("name", "args", "advice"),
    [
        ("hlfd", {}, "or --method_args::late final"),
        ("hlfd_hifd", {}, "or --method_args::maps"),
        ("hlfd_ifd", {}, "use larger images\n"),
        ("at", {"tap": "bottleneck"}, "or --method_args::tap"),
    ],
)
def test_it_says_what_to_do(name, args, advice, capsys):
    assert advice in note_of(capsys, name, args, UNetPlusPlus(2, 1, 2, width=2), (64, 64))


@pytest.mark.parametrize(
    ("name", "args", "image_size"),
    [
        ("hlfd", {}, (128, 128)),  # 64 positions
        ("hlfd", {"late": "final"}, (64, 64)),
        ("hlfd", {"beta": 0.0}, (64, 64)),  # no IFD
        ("hlfd", {"terms": ["ufd", "ipd"]}, (64, 64)),
        ("hlfd_dkd", {}, (64, 64)),  # all stages, each at its own resolution
        ("hlfd_hifd", {"imd": 0.0}, (64, 64)),
        ("hlfd_hifd", {"maps": ["encoder.1 -> penultimate"]}, (64, 64)),
        ("hifd", {"gamma": 0.0}, (64, 64)),
        ("at", {}, (64, 64)),
        ("kd", {}, (64, 64)),
        ("none", {}, (64, 64)),
    ],
)
def test_no_note_without_such_a_target(name, args, image_size, capsys):
    assert not note_of(capsys, name, args, UNet(2, 1, 2, width=2), image_size)


def test_volumes_have_patches(capsys):
    note = note_of(capsys, "hlfd", {}, UNet(3, 1, 2, width=2), (16, 48, 48))
    assert "has 1 x 3 x 3 = 9 positions for patches of 16 x 48 x 48, fewer than 64: use larger patches, or" in note
    assert not note_of(capsys, "hlfd", {}, UNet(3, 1, 2, width=2), (64, 64, 64))  # 4 x 4 x 4
    assert not note_of(capsys, "hlfd", {"late": "final"}, UNet(3, 1, 2, width=2), (16, 48, 48))


def test_the_final_map_of_a_teacher_without_decoder_is_its_bottleneck(capsys):
    for late in ("bottleneck", "final"):
        note = note_of(capsys, "hlfd", {"late": late}, ResNetFCN(2, 1, 2, width=2), (128, 128))  # stride 32
        assert "the teacher's bottleneck" in note and "4 x 4 = 16" in note and note.endswith("use larger images\n")


def test_a_final_map_may_be_coarse_too(capsys):
    note = note_of(capsys, "hlfd", {"late": "final"}, UNet(2, 1, 2, width=2), (7, 8))
    assert "the teacher's last map, the target of IFD, has 7 x 8 = 56 positions" in note


def test_a_transformer_has_its_own_stride(capsys):
    network = TransUNet(
        2, 1, 2, img_size=64, width=4, units=(1, 1, 1), hidden_size=12, mlp_dim=12, num_layers=1, num_heads=2
    )
    assert "4 x 4 = 16 positions" in note_of(capsys, "hlfd", {}, network, (64, 64))
