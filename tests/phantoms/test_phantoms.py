"""Phantoms: same seed, same voxels; the axes, values and layouts of the official data."""

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from medkd.phantoms import make_cvc_endoscene, make_idrid, make_isic2018, make_kits19, make_lits, make_nifti


@pytest.fixture(scope="module")
def kits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kits")
    assert make_kits19(folder, cases=4, size=64, slices=(16, 20)) == [f"case_{n:05d}" for n in range(4)]
    return folder


def load(folder, case):
    return [nib.load(folder / "data" / f"case_{case:05d}" / f"{kind}.nii.gz") for kind in ("imaging", "segmentation")]


def test_kits_axes_types_and_values(kits):
    spacings = set()
    for case in range(4):
        image, label = load(kits, case)
        assert nib.aff2axcodes(image.affine) == ("I", "P", "L")
        assert np.array_equal(image.affine, label.affine) and image.shape == label.shape
        assert 16 <= image.shape[0] <= 20 and image.shape[1:] == (64, 64)
        step, row, column = image.header.get_zooms()
        assert 1 <= step <= 5 and 0.6 <= row <= 0.9 and row == column
        spacings.add((float(step), float(row)))
        assert image.get_data_dtype() == np.int16
        assert label.get_data_dtype() == (np.uint16 if case == 3 else np.uint8)
        hu, classes = np.asarray(image.dataobj), np.asarray(label.dataobj)
        assert np.unique(classes).tolist() == [0, 1, 2]
        assert hu[:, 0, 0].mean() < -900 and hu.max() > 250
    assert len(spacings) == 4


def test_kits_kidneys_left_and_right_of_the_spine_and_tumours_at_them(kits):
    for case in range(4):
        image, label = (np.asarray(file.dataobj) for file in load(kits, case))
        kidney, tumour = label == 1, label == 2
        assert kidney[:, :, :28].sum() > 100 and kidney[:, :, 36:].sum() > 100 and not kidney[:, :, 30:34].any()
        assert (binary_dilation(kidney, iterations=2) & tumour).any()
        assert 20 <= image[kidney].mean() <= 210
        assert 15 < image[kidney].mean() - image[tumour].mean() < 90
        assert image[tumour].std() > 10  # textured and noisy: no threshold gives it away


def test_kits_small_tumours(kits):
    sizes = [(np.asarray(load(kits, case)[1].dataobj) == 2).sum() for case in range(4)]
    assert sizes[2] == min(sizes) and sizes[2] >= 10


def test_kits_is_deterministic(kits, tmp_path):
    make_kits19(tmp_path / "same", cases=2, size=64, slices=(16, 20))
    make_kits19(tmp_path / "other", cases=2, size=64, slices=(16, 20), seed=1)
    for case in range(2):
        for here, same in zip(load(kits, case), load(tmp_path / "same", case), strict=True):
            assert np.array_equal(here.dataobj, same.dataobj) and np.array_equal(here.affine, same.affine)
    here, other = load(kits, 0)[0], load(tmp_path / "other", 0)[0]
    assert here.shape != other.shape or not np.array_equal(here.dataobj, other.dataobj)


def test_kits_one_wide_case(kits, tmp_path):
    make_kits19(tmp_path, cases=2, size=64, slices=(16, 20), wide_case=1)
    image, label = load(tmp_path, 1)
    assert image.shape[1:] == (64, 100) and label.shape == image.shape
    assert np.unique(label.dataobj).tolist() == [0, 1, 2]
    assert np.array_equal(load(tmp_path, 0)[0].dataobj, load(kits, 0)[0].dataobj)  # the others stay as they are


@pytest.fixture(scope="module")
def livers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("livers")
    assert make_lits(folder, cases=6, size=64, slices=(16, 20)) == [f"volume-{n}" for n in range(6)]
    return folder


def load_liver(folder, number):
    return [nib.load(next(folder.glob(f"*/{kind}-{number}.nii"))) for kind in ("volume", "segmentation")]


def test_lits_layout_axes_types_and_values(livers):
    batches = {path.name: sorted(file.name for file in path.glob("volume-*")) for path in livers.iterdir()}
    assert batches["Training Batch 1"] == ["volume-0.nii", "volume-1.nii"] and len(batches["Training Batch 2"]) == 4
    for number in range(6):
        image, label = load_liver(livers, number)
        oblique = number % 3 == 2
        assert nib.aff2axcodes(image.affine) == tuple(("LPS", "RAS", "LAS")[number % 3])
        assert (np.abs(nib.affines.obliquity(image.affine)).max() > 0.05) == oblique
        assert np.array_equal(image.affine, label.affine) and image.shape == label.shape
        assert image.shape[:2] == (64, 64) and 16 <= image.shape[2] <= 20
        assert image.get_data_dtype() == (np.float32 if oblique else np.int16) and label.get_data_dtype() == np.uint8
        hu, classes = np.asarray(image.dataobj), np.asarray(label.dataobj)
        assert np.array_equal(hu, np.rint(hu)) and hu[0, 0].mean() < -900 and hu.max() > 250
        assert np.unique(classes).tolist() == ([0, 1] if number == 1 else [0, 1, 2])


def test_lits_tumours_are_dark_and_in_the_liver_on_the_right(livers):
    for number in range(6):
        file, labels = (nib.as_closest_canonical(file) for file in load_liver(livers, number))
        hu, label = np.asarray(file.dataobj), np.asarray(labels.dataobj)
        liver, tumour = label == 1, label == 2
        # in RAS the first axis goes to the patient's right side last
        assert (label[32:] > 0).sum() > 2 * (label[:32] > 0).sum()
        assert 70 <= hu[liver].mean() <= 140
        if number != 1:
            assert (binary_dilation(liver, iterations=2) & tumour).any() and tumour.sum() >= 10
            assert 10 < hu[liver].mean() - hu[tumour].mean() < 80 and hu[tumour].std() > 10


def test_lits_is_deterministic(livers, tmp_path):
    make_lits(tmp_path / "same", cases=6, size=64, slices=(16, 20))
    make_lits(tmp_path / "other", cases=1, size=64, slices=(16, 20), seed=1)
    for number in range(6):
        for here, same in zip(load_liver(livers, number), load_liver(tmp_path / "same", number), strict=True):
            assert np.array_equal(here.dataobj, same.dataobj) and np.array_equal(here.affine, same.affine)
    here, other = load_liver(livers, 0)[0], load_liver(tmp_path / "other", 0)[0]
    assert here.shape != other.shape or not np.array_equal(here.dataobj, other.dataobj)


def test_cvc_official(tmp_path):
    assert make_cvc_endoscene(tmp_path, frames=15, scale=0.2) == 15
    first, second = tmp_path / "CVC-300", tmp_path / "CVC-612"
    assert len(list((first / "bbdd").glob("*.bmp"))) == len(list((first / "gtpolyp").glob("*.bmp"))) == 5
    assert len(list((second / "bbdd").glob("*.bmp"))) == len(list((second / "gtpolyp").glob("*.tif"))) == 10
    assert {Image.open(path).size for path in (first / "bbdd").iterdir()} == {(115, 100)}
    for path in (second / "bbdd").iterdir():
        image, mask = Image.open(path), np.asarray(Image.open(second / "gtpolyp" / f"{path.stem}.tif"))
        assert image.mode == "RGB" and image.size == (77, 58) and mask.shape == (58, 77)
        assert np.unique(mask).tolist() == [0, 255]
        pixels = np.asarray(image).astype(float)[mask > 0].mean(0)
        assert pixels[0] > pixels[1] > 20 and pixels[0] > pixels[2]  # pink


def test_cvc_912(tmp_path):
    make_cvc_endoscene(tmp_path, frames=12, variant="cvc912", scale=0.2)
    counts = {
        part: len(list((tmp_path / "CVC-912" / part / "images").iterdir())) for part in ("train", "valid", "test")
    }
    assert sum(counts.values()) == 12 and min(counts.values()) >= 2
    values = {v for path in tmp_path.glob("CVC-912/*/masks2/*.tif") for v in np.unique(np.asarray(Image.open(path)))}
    assert values == {0, 1, 2}


def test_cvc_is_deterministic(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_cvc_endoscene(tmp_path / name, frames=6, seed=seed, scale=0.2)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*") if path.is_file())
    assert len(files) == 12
    a, b, c = ([np.asarray(Image.open(tmp_path / name / file)) for file in files] for name in "abc")
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not any(np.array_equal(x, y) for x, y in zip(a, c, strict=True))


def test_isic_official(tmp_path):
    assert make_isic2018(tmp_path, images=12, scale=0.1) == 12
    counts = {}
    for part in ("Training", "Validation", "Test"):
        inputs, masks = tmp_path / f"ISIC2018_Task1-2_{part}_Input", tmp_path / f"ISIC2018_Task1_{part}_GroundTruth"
        counts[part] = len(list(inputs.glob("ISIC_*.jpg")))
        assert len(list(masks.iterdir())) == counts[part]
        assert (inputs / "ATTRIBUTION.txt").is_file() and len(list(inputs.glob("*_superpixels.png"))) == 1
        for path in inputs.glob("*.jpg"):
            image, mask = Image.open(path), Image.open(masks / f"{path.stem}_segmentation.png")
            assert image.mode == "RGB" and mask.mode == "L" and image.size == mask.size
            assert image.size in {(102, 77), (77, 58), (60, 45)}
            pixels, lesion = np.asarray(image).astype(float), np.asarray(mask)
            assert np.unique(lesion).tolist() == [0, 255] and 0.02 < (lesion > 0).mean() < 0.8
            around = binary_dilation(lesion > 0, iterations=6) & (lesion == 0)
            assert (pixels[around].mean(0) - pixels[lesion > 0].mean(0) > 8).all()  # darker than the skin
    assert counts == {"Training": 8, "Validation": 1, "Test": 3}


def test_idrid_official(tmp_path):
    assert make_idrid(tmp_path, images=9, scale=0.04) == 9
    images, masks = (
        tmp_path / "A. Segmentation" / name for name in ("1. Original Images", "2. All Segmentation Groundtruths")
    )
    assert len(list((images / "a. Training Set").glob("IDRiD_*.jpg"))) == 6
    assert len(list((images / "b. Testing Set").glob("IDRiD_*.jpg"))) == 3
    modes = set()
    for path in images.rglob("*.jpg"):
        assert (int(path.stem[-2:]) > 54) == (path.parent.name == "b. Testing Set")
        image = Image.open(path)
        mask = Image.open(masks / path.parent.name / "5. Optic Disc" / f"{path.stem}_OD.tif")
        assert image.mode == "RGB" and image.size == mask.size == (172, 114)
        modes.add(mask.mode)
        assert sorted(colour for _, colour in mask.convert("RGB").getcolors()) == [(0, 0, 0), (255, 0, 0)]
        pixels, disc = np.asarray(image).astype(float), np.asarray(mask.convert("RGB"))[..., 0] > 0
        assert 0.005 < disc.mean() < 0.05 and pixels[:8, :8].max() < 20  # dark outside the camera's field
        assert (pixels[disc].mean(0) > pixels[20:-20, 60:-60].reshape(-1, 3).mean(0)).all()
    assert modes == {"P", "RGB"}


@pytest.mark.parametrize(("draw", "scale"), [(make_isic2018, 0.1), (make_idrid, 0.03)])
def test_pictures_are_deterministic(tmp_path, draw, scale):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        draw(tmp_path / name, images=6, seed=seed, scale=scale)
    pictures = [path for path in (tmp_path / "a").rglob("*.*") if path.suffix in (".jpg", ".png", ".tif")]
    files = [path.relative_to(tmp_path / "a") for path in pictures]
    assert len(files) >= 12
    a, b, c = ([np.asarray(Image.open(tmp_path / name / file)) for file in files] for name in "abc")
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not any(np.array_equal(x, y) for x, y in zip(a, c, strict=True))


def test_phantoms_refuse(tmp_path):
    with pytest.raises(ValueError, match="size=16, .*expected cases >= 1, size >= 32"):
        make_kits19(tmp_path, size=16)
    with pytest.raises(ValueError, match=r"make_lits: .*slices=\(4, 8\); expected cases >= 1, size >= 32"):
        make_lits(tmp_path, slices=(4, 8))
    with pytest.raises(ValueError, match="variant 'cvc': expected one of"):
        make_cvc_endoscene(tmp_path, variant="cvc")
    with pytest.raises(ValueError, match="frames=3"):
        make_cvc_endoscene(tmp_path, frames=3)
    with pytest.raises(ValueError, match="images=5, scale=0.25; expected 6 to 3694"):
        make_isic2018(tmp_path, images=5)
    with pytest.raises(ValueError, match="images=82, scale=0.06; expected 6 to 81"):
        make_idrid(tmp_path, images=82)


def test_nifti_folders_hold_pairs_of_one_grid(tmp_path):
    names = make_nifti(tmp_path / "a", cases=2, size=32, slices=(8, 9), seed=3)
    assert names == ["patient_00", "patient_01"]
    for folder in ("images", "labels"):
        assert sorted(path.name for path in (tmp_path / "a" / folder).iterdir()) == [f"{n}.nii.gz" for n in names]
    image, label = (nib.load(tmp_path / "a" / kind / "patient_01.nii.gz") for kind in ("images", "labels"))
    np.testing.assert_array_equal(image.affine, label.affine)
    assert image.shape == label.shape and set(np.unique(label.dataobj)) == {0, 1}
    assert np.asarray(image.dataobj).min() < -900 and nib.aff2axcodes(image.affine) == ("I", "P", "L")
    make_nifti(tmp_path / "b", cases=2, size=32, slices=(8, 9), seed=3)
    again = nib.load(tmp_path / "b/images/patient_01.nii.gz")
    np.testing.assert_array_equal(image.dataobj, again.dataobj)


def test_nifti_refuses_sizes(tmp_path):
    with pytest.raises(ValueError, match="make_nifti: cases=1, size=16"):
        make_nifti(tmp_path, cases=1, size=16)
