"""ISIC 2018 phantoms: layout and lesions; the same seed gives the same pixels."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from medkd.phantoms import make_isic2018


def test_official_layout(tmp_path):
    assert make_isic2018(tmp_path, images=12, scale=0.1) == 12
    counts = {}
    for split in ("Training", "Validation", "Test"):
        inputs, masks = tmp_path / f"ISIC2018_Task1-2_{split}_Input", tmp_path / f"ISIC2018_Task1_{split}_GroundTruth"
        counts[split] = len(list(inputs.glob("ISIC_*.jpg")))
        assert len(list(masks.iterdir())) == counts[split]
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


def test_is_deterministic(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_isic2018(tmp_path / name, images=6, seed=seed, scale=0.1)
    pictures = [path for path in (tmp_path / "a").rglob("*.*") if path.suffix in (".jpg", ".png", ".tif")]
    files = [path.relative_to(tmp_path / "a") for path in pictures]
    assert len(files) >= 12
    a, b, c = ([np.asarray(Image.open(tmp_path / name / file)) for file in files] for name in "abc")
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not any(np.array_equal(x, y) for x, y in zip(a, c, strict=True))


def test_numbers_out_of_range(tmp_path):
    with pytest.raises(ValueError, match="images=5, scale=0.25; expected 6 to 3694"):
        make_isic2018(tmp_path, images=5)
