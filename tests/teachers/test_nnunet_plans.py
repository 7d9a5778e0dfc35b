"""Plans of nnU-Net: both forms, and single numbers in the place of lists."""

import json

from medkd.teachers.nnunet_plans import build_network

from .nnunet_builders import FACTS, plan_of


def test_plans_of_the_older_form_give_the_same_network():
    fact = FACTS["plain_3d"]
    new, args = build_network(plan_of(fact), 1, 2), fact["arch_kwargs"]
    old = build_network(
        {
            "UNet_class_name": "PlainConvUNet",
            "patch_size": [8, 8, 8],
            "n_conv_per_stage_encoder": args["n_conv_per_stage"],
            "n_conv_per_stage_decoder": args["n_conv_per_stage_decoder"],
            "conv_kernel_sizes": args["kernel_sizes"],
            "pool_op_kernel_sizes": args["strides"],
            "UNet_base_num_features": 2,
            "unet_max_num_features": 4,
        },
        1,
        2,
    )
    assert repr(old) == repr(new)
    old.load_state_dict(new.state_dict())


def test_single_numbers_are_repeated():
    plan = json.loads(json.dumps(plan_of(FACTS["plain_2d"])))
    expected = build_network(plan, 1, 2)
    args = plan["architecture"]["arch_kwargs"]
    args.update(kernel_sizes=3, strides=[1, 2, 2])
    assert repr(build_network(plan, 1, 2)) == repr(expected)
