"""CVC-EndoSceneStill phantoms: both layouts, masks with void; the same seed gives the same pixels."""

import numpy as np
import pytest
from PIL import Image

from medkd.phantoms import make_cvc_endoscene


def test_official_layout(tmp_path):
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


def test_cvc912_layout(tmp_path):
    make_cvc_endoscene(tmp_path, frames=12, variant="cvc912", scale=0.2)
    counts = {
        split: len(list((tmp_path / "CVC-912" / split / "images").iterdir())) for split in ("train", "valid", "test")
    }
    assert sum(counts.values()) == 12 and min(counts.values()) >= 2
    values = {v for path in tmp_path.glob("CVC-912/*/masks2/*.tif") for v in np.unique(np.asarray(Image.open(path)))}
    assert values == {0, 1, 2}


def test_is_deterministic(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_cvc_endoscene(tmp_path / name, frames=6, seed=seed, scale=0.2)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*") if path.is_file())
    assert len(files) == 12
    a, b, c = ([np.asarray(Image.open(tmp_path / name / file)) for file in files] for name in "abc")
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not any(np.array_equal(x, y) for x, y in zip(a, c, strict=True))


def test_numbers_out_of_range(tmp_path):
    with pytest.raises(ValueError, match="variant 'cvc': expected one of"):
        make_cvc_endoscene(tmp_path, variant="cvc")
    with pytest.raises(ValueError, match="frames=3"):
        make_cvc_endoscene(tmp_path, frames=3)
