"""Phantoms of DICOM series: files, tags and stored values."""

import numpy as np
import SimpleITK as sitk

from medkd.phantoms import write_dicom


def test_one_file_per_slice_with_rescaled_values(tmp_path):
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4) * 2
    for description in ("thin", "thick"):
        write_dicom(tmp_path, array, np.diag([0.5, 0.6, 3.0, 1]), (2.0, -10.0), description, prefix=description)
    assert len(list(tmp_path.iterdir())) == 8 and len(sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(tmp_path))) == 2
    image = sitk.ReadImage(str(tmp_path / "thin_001.dcm"))
    assert np.array_equal(sitk.GetArrayFromImage(image)[0].T, array[..., 1])  # rescaled by the reader
    assert [float(image.GetMetaData(tag)) for tag in ("0028|1052", "0028|1053")] == [-10, 2]
    assert image.GetMetaData("0008|103e").strip() == "thin" and image.GetSpacing()[:2] == (0.5, 0.6)
    assert [float(x) for x in image.GetMetaData("0020|0032").split("\\")] == [0, 0, 3]
