"""What reaches TensorBoard."""


def test_named_terms_are_in_tensorboard(teachers, data, medkd_run, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = ["--dataset_dir", data["kits19"], "--output_dir", tmp_path, "--method", "hlfd"]
    assert medkd_run("distill", "kits19", "--teacher", teachers["kits19"], *options) == 0
    tags = set()
    for file in tmp_path.glob("events.out.tfevents*"):
        events = EventAccumulator(str(file))
        events.Reload()
        tags |= set(events.Tags()["scalars"])
    assert {"loss", "loss/task", "loss/hlfd", "loss/hlfd/ufd", "loss/hlfd/ipd", "val_mean_dice"} <= tags
