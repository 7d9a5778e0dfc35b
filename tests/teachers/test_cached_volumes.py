"""Cached soft labels of volumes: equal to the teacher on the patch, found again, shared, never half-written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference
from torch import nn

from medkd.correction import TeacherTeam
from medkd.data import RandStoredPatch, ScaleWindowd, maps_shape, read_volume, write_volume
from medkd.data.volume_store import read_maps
from medkd.networks import FeatureTaps, UNet
from medkd.teachers import CachedTeacher, CachedVolumeLabels, Ensemble, SingleTeacher, TeacherInferer
from medkd.teachers.adapter import TeacherAdapter
from medkd.teachers.geometry import Grid
from medkd.teachers.intensity import Intensity
from medkd.teachers.scalings import ZScore
from tests.data.test_patch_maps import SPACING

ROI = (16, 16, 16)
STUDENTS = Grid(None, ROI)
WINDOW = (-200, 300)


def make_entries(folder, shapes=((16, 16, 16), (9, 20, 30)), channels=1):
    entries = []
    for number, shape in enumerate(shapes):
        draw = np.random.default_rng(number)
        names = [str(folder / f"image{number}_{channel}.b2nd") for channel in range(channels)]
        for name in names:
            write_volume(name, draw.integers(-250, 350, shape).astype(np.int16), np.diag([*SPACING, 1]))
        label = folder / f"label{number}.b2nd"
        write_volume(label, (draw.random(shape) > 0.5).astype(np.uint8), np.diag([*SPACING, 1]))
        image = names[0] if channels == 1 else names
        entry = {
            "case": f"c{number}",
            "image": image,
            "label": str(label),
            "shape": list(shape),
            "spacing": list(SPACING),
        }
        entries.append({**entry, "slices_with": {"1": list(range(shape[0]))}})
    return entries


def preprocessing(item):
    names = [item["image"]] if isinstance(item["image"], str) else item["image"]
    image = np.stack([read_volume(name)[0] for name in names]).astype(np.float32)
    affine = read_volume(names[0])[1]
    return ScaleWindowd("image", WINDOW)({**item, "image": MetaTensor(torch.from_numpy(image), affine=affine)})


def network(seed=0, channels=1):
    torch.manual_seed(seed)
    return UNet(3, channels, 2, width=2).eval()


def tapped(seed=0, **options):
    net = network(seed, **options)
    return FeatureTaps(net, **net.default_taps()).eval()


def pointwise(seed=0):
    """A teacher for which windows make no difference."""
    torch.manual_seed(seed)
    return nn.Conv3d(1, 2, 1).eval()


def cache(entries, folder, teacher, grids=(STUDENTS,), roi_size=ROI, spacing=None, overlap=0.5, settings=None):
    inferer = TeacherInferer(grids, overlap=overlap)
    return CachedVolumeLabels(
        entries, teacher, folder, "cpu", preprocessing, inferer, roi_size, spacing, settings or {"window": WINDOW}
    )


def patch_of(entry, roi_size=ROI, spacing=None, seed=0):
    item = RandStoredPatch(roi_size, spacing, (1,), pad_value=WINDOW[0]).set_random_state(seed)(entry)
    return ScaleWindowd("image", WINDOW)(item)


@pytest.mark.parametrize("options", [None, {}, {"similarity": False}])
def test_where_patch_and_volume_agree_it_equals_the_teacher_online(tmp_path, options):
    """The volume is one patch, and a smaller one is padded to one: the same window in both ways."""
    teacher = SingleTeacher(tapped()) if options is None else TeacherTeam(tapped(), network(1), network(2), **options)
    data = cache(make_entries(tmp_path, ((16, 16, 16), (9, 16, 7))), tmp_path / "soft", teacher)
    assert maps_shape(data[1]["soft_labels"])[1:] == ROI
    for entry in data:
        item = patch_of(entry)
        with torch.no_grad():
            online = teacher.outputs(item["image"][None])
        cached = CachedTeacher(teacher).outputs(item["soft_labels"][None])
        for a, b in zip(online, cached, strict=True):
            if a is not None and a.shape[2:] == ROI:
                torch.testing.assert_close(b, a, atol=1e-3, rtol=1e-3)
            assert (a is None) == (b is None)


@pytest.mark.parametrize("shape", [(20, 40, 40), (9, 40, 20)])
def test_any_patch_equals_a_teacher_that_windows_do_not_change(tmp_path, shape):
    net = pointwise()
    data = cache(make_entries(tmp_path, [shape]), tmp_path / "soft", SingleTeacher(FeatureTaps(net)))
    for seed in range(5):
        item = patch_of(data[0], seed=seed)
        with torch.no_grad():
            expected = net(item["image"][None])[0]
        torch.testing.assert_close(item["soft_labels"].float(), expected, atol=2e-3, rtol=2e-3)


def test_a_teacher_at_its_own_spacing_and_windows(tmp_path):
    """A slope in HU, on which interpolation is exact, through three grids: the volume's, the teacher's, the student's."""
    shape, spacing = (20, 40, 60), (2.0, 1.5, 1.0)
    (entry,) = make_entries(tmp_path, [shape])
    slope = np.add.outer(np.add.outer(np.arange(20) * 4, np.arange(40)), np.arange(60)) * 3 - 150
    write_volume(entry["image"], slope.astype(np.int16), np.diag([*SPACING, 1]))
    net = pointwise()
    grids = [Grid((3.0, 0.8, None), (8, 24, 16))]
    data = cache([entry], tmp_path / "soft", SingleTeacher(FeatureTaps(net)), grids, (8, 16, 16), spacing)
    assert maps_shape(data[0]["soft_labels"]) == (2, 40, 27, 30)
    for seed in range(5):
        item = patch_of(data[0], (8, 16, 16), spacing, seed)
        with torch.no_grad():
            expected = net(item["image"][None])[0]
        inner = (slice(None), *(slice(2, -2),) * 3)
        torch.testing.assert_close(item["soft_labels"].float()[inner], expected[inner], atol=0.02, rtol=0.02)


def test_an_ensemble_is_averaged_on_the_students_grid(tmp_path):
    members = [pointwise(seed) for seed in range(3)]
    ensemble = Ensemble(members, (3, 1))
    grids = [Grid(None, ROI), Grid((None,) * 3, (8, 8, 8)), Grid(SPACING, (16, 20, 24))]
    data = cache(make_entries(tmp_path), tmp_path / "soft", SingleTeacher(FeatureTaps(ensemble)), grids)
    for entry in data:
        item = patch_of(entry)
        with torch.no_grad():
            expected = ensemble(item["image"][None])[0]
        torch.testing.assert_close(item["soft_labels"].float(), expected, atol=2e-3, rtol=2e-3)


def test_several_channels_and_an_unlabelled_case(tmp_path):
    entries = [{**entry, "labelled": True} for entry in make_entries(tmp_path, channels=2)]
    entries[1] = {k: v for k, v in entries[1].items() if k not in ("label", "slices_with")} | {"labelled": False}
    teacher = SingleTeacher(tapped(channels=2))
    data = cache(entries, tmp_path / "soft", teacher)
    transform = RandStoredPatch(ROI, None, (1,), pad_value=[-200, -200]).set_random_state(0)
    items = [transform(entry) for entry in data]
    assert [item["labelled"] for item in items] == [True, False]
    assert all(item["soft_labels"].shape == (2, *ROI) and item["image"].shape == (2, *ROI) for item in items)


def test_files_are_found_again_until_teacher_settings_or_data_change(tmp_path, capsys):
    entries, teacher = make_entries(tmp_path), SingleTeacher(tapped())
    first = cache(entries, tmp_path / "soft", teacher)
    printed = capsys.readouterr().out
    assert "soft labels of 2 volumes are computed: 1 MiB at most in" in printed and "MiB free)" in printed
    assert "soft labels of 2 volumes, 2 of them new" in printed
    kept = [file.read_bytes() for file in first.files]
    again = cache(entries, tmp_path / "soft", SingleTeacher(tapped()))
    printed = capsys.readouterr().out
    assert ", 0 of them new" in printed and "are computed" not in printed and again.files == first.files
    first.files[0].unlink()
    first.files[1].write_bytes(kept[1][: len(kept[1]) // 2])
    cache(entries, tmp_path / "soft", teacher)
    assert ", 2 of them new" in capsys.readouterr().out
    assert [file.read_bytes() for file in first.files] == kept

    others = {
        "weights": cache(entries, tmp_path / "soft", SingleTeacher(tapped(1))),
        "spacing": cache(entries, tmp_path / "soft", teacher, [Grid((4, 2, 1), ROI)]),
        "windows": cache(entries, tmp_path / "soft", teacher, [Grid(None, (16, 32, 32))]),
        "overlap": cache(entries, tmp_path / "soft", teacher, overlap=0.25),
        "student": cache(entries, tmp_path / "soft", teacher, spacing=(4.0, 2.0, 1.0)),
        "window": cache(entries, tmp_path / "soft", teacher, settings={"window": (-100, 300)}),
    }
    folders = {data.folder for data in others.values()} | {first.folder}
    assert len(folders) == len(others) + 1
    image = read_volume(entries[0]["image"])[0]
    write_volume(entries[0]["image"], image + np.int16(1), np.diag([*SPACING, 1]))
    changed = cache(entries, tmp_path / "soft", teacher)
    assert changed.folder == first.folder and changed.files[0] != first.files[0] and changed.files[1] == first.files[1]


def test_what_a_kill_left_is_removed_and_nothing_half_written_is_taken(tmp_path):
    entries, teacher = make_entries(tmp_path), SingleTeacher(tapped())
    first = cache(entries, tmp_path / "soft", teacher)
    whole = first.files[0].read_bytes()
    partial = first.folder / f".partial-99999999-{first.files[0].name}"
    first.files[0].rename(partial)
    again = cache(entries, tmp_path / "soft", teacher)
    assert not partial.exists() and again.files[0].read_bytes() == whole

    def stop(maps, *rest):
        raise KeyboardInterrupt

    shutil.rmtree(tmp_path / "soft")
    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("medkd.data.volume_store.add_checksums", stop)
        cache(entries, tmp_path / "soft", teacher)
    assert not [path for path in (tmp_path / "soft").rglob("*") if path.is_file()]


def test_too_little_room_is_told_after_the_first_volume(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(100, 100, 10))
    with pytest.raises(
        OSError, match="found 0.0 GiB free, expected .* GiB for the soft labels: use --soft_labels online"
    ):
        cache(make_entries(tmp_path), tmp_path / "soft", SingleTeacher(tapped()))


def _share(rank, port, results):
    from torch import distributed

    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    folder = Path(os.environ["MEDKD_TEST_FOLDER"])
    entries = make_entries(folder / f"of_{rank}", ((16, 16, 16), (9, 20, 30), (16, 20, 17)))
    data = cache(entries, folder / "soft", SingleTeacher(tapped()))
    results.put((rank, [file.name for file in data.files], sorted(p.name for p in data.folder.iterdir())))
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_share_the_work(tmp_path, two_processes, monkeypatch):
    monkeypatch.setenv("MEDKD_TEST_FOLDER", str(tmp_path))
    for rank in range(2):
        (tmp_path / f"of_{rank}").mkdir()
    (_, names, files), (_, other_names, other_files) = two_processes(_share)
    assert names == other_names and len(set(names)) == 3 and sorted(names) == files == other_files
    alone = cache(
        make_entries(tmp_path / "of_0", ((16, 16, 16), (9, 20, 30), (16, 20, 17))),
        tmp_path / "alone",
        SingleTeacher(tapped()),
    )
    shared = [next((tmp_path / "soft").glob(f"*/{file.name}")) for file in alone.files]
    assert [file.read_bytes() for file in alone.files] == [file.read_bytes() for file in shared]


def test_an_nnunet_that_scales_whole_volumes_predicts_as_nnunet_does(tmp_path, nnunet_model):
    """The reference is nnU-Net's way: z-score of the whole volume, padded with 0, windows of half overlap, Gaussian weights."""
    net = nnunet_model(tmp_path / "nnUNetTrainer__nnUNetPlans__used", dims=3, scheme="ZScoreNormalization").eval()
    intensity = Intensity([ZScore()], WINDOW)
    adapter = TeacherAdapter(net, "nnU-Net", (3, 1), 2, intensity=intensity, multiple=net.multiple)
    grids = [Grid(None, (16, 32, 32))]
    entries = make_entries(tmp_path, [(20, 40, 48), (12, 40, 36)])  # the second one is thinner than a window
    data = cache(entries, tmp_path / "soft", SingleTeacher(FeatureTaps(adapter)), grids, roi_size=(8, 8, 8))
    for entry in data:
        hounsfield = preprocessing(entry)["image"].as_tensor()[None] * 250 + 50
        scaled = (hounsfield - hounsfield.mean()) / hounsfield.std(correction=0)
        with torch.no_grad():
            expected = sliding_window_inference(scaled, (16, 32, 32), 1, net, overlap=0.5, mode="gaussian")[0]
            of_windows = sliding_window_inference(hounsfield, (16, 32, 32), 1, lambda x: net(ZScore()(x)), overlap=0.5)[
                0
            ]
        cached = torch.from_numpy(np.asarray(read_maps(entry["soft_labels"], (slice(None),) * 3)))
        torch.testing.assert_close(cached.float(), expected, atol=1e-3, rtol=1e-3)
        assert (of_windows - expected).abs().max() > 0.05  # what the statistics of each window would give


def test_a_second_run_waits_until_the_first_has_written_all(tmp_path, capsys):
    entries, teacher = make_entries(tmp_path), SingleTeacher(FeatureTaps(pointwise()))
    folder = cache(entries, tmp_path / "soft", teacher).folder
    shutil.rmtree(folder)
    capsys.readouterr()
    code = (
        "import sys, time\nfrom medkd.runs.lock import FolderLock\n"
        "with FolderLock(sys.argv[1]):\n    print('locked', flush=True)\n    time.sleep(1)\n    print('ended', time.time())"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "locked\n"
        data = cache(entries, tmp_path / "soft", teacher)
        ended = float(first.stdout.read().split()[1])
    assert f"{folder}: another run computes these soft labels: waiting for it" in capsys.readouterr().out
    assert all(Path(entry["soft_labels"]).stat().st_mtime > ended for entry in data)
