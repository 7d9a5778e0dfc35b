"""What a method needs of its teacher."""

import pytest

from medkd import methods


def test_team_arguments_resolve_the_arguments_of_the_method():
    assert methods.team_arguments("plckd", {"boundary": False, "max_candidates": 64}) == {
        "false_pixel": True,
        "boundary": False,
        "similarity": True,
        "max_candidates": 64,
    }
    assert methods.team_arguments("swap") == {"swap": True}
    assert methods.team_arguments("cwd") is None


def test_similarity_needs_a_feature_map_of_the_teacher():
    with pytest.raises(ValueError, match="method plckd: similarity reads the penultimate map of the teacher"):
        methods.check_embedding("plckd", {}, has_maps=False)
    methods.check_embedding("plckd", {}, has_maps=True)
    methods.check_embedding("plckd", {"similarity": False}, has_maps=False)
    methods.check_embedding("swap", {}, has_maps=False)
    methods.check_embedding("kd", None, has_maps=False)


@pytest.mark.parametrize(
    ("name", "args"), [("kd", {}), ("dkd", {}), ("plckd", {"base": "cwd"}), ("at", {"tap": "logits"})]
)
def test_methods_that_read_logits_alone_take_cached_soft_labels(name, args):
    methods.check_reads_logits(name, args)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "ifvd",
            r"method ifvd reads maps of the teacher \(penultimate/4; for ifv\), which --soft_labels cached does not keep",
        ),
        ("hlfd", r"method hlfd reads maps of the teacher \(features; for hlfd\)"),
        ("hlfd_ifd", r"method hlfd_ifd reads maps of the teacher \(.*; for cat_pmd\)"),
    ],
)
def test_methods_that_read_feature_maps_refuse_cached_soft_labels(name, message):
    with pytest.raises(ValueError, match=message):
        methods.check_reads_logits(name)
