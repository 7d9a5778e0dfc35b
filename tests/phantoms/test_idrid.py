"""IDRiD phantoms: layout, red masks, optic discs; the same seed gives the same pixels."""

import numpy as np
import pytest
from PIL import Image

from medkd.phantoms import make_idrid


def test_official_layout(tmp_path):
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


def test_is_deterministic(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_idrid(tmp_path / name, images=6, seed=seed, scale=0.03)
    pictures = [path for path in (tmp_path / "a").rglob("*.*") if path.suffix in (".jpg", ".png", ".tif")]
    files = [path.relative_to(tmp_path / "a") for path in pictures]
    assert len(files) >= 12
    a, b, c = ([np.asarray(Image.open(tmp_path / name / file)) for file in files] for name in "abc")
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not any(np.array_equal(x, y) for x, y in zip(a, c, strict=True))


def test_numbers_out_of_range(tmp_path):
    with pytest.raises(ValueError, match="images=82, scale=0.06; expected 6 to 81"):
        make_idrid(tmp_path, images=82)
