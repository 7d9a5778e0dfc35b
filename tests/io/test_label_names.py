"""Names of classes for viewers: ITK-SNAP's label file, and a comment in the header of NIfTI files."""

import json

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from medkd.io import LabelFormat, class_colour, read_volume, write_prediction

LABELS = np.zeros((1, 4, 5, 6), np.uint8)
LABELS[0, 1:3, 2, 3], LABELS[0, 3, 4, 5] = 1, 2
AFFINE = np.diag([0.7, 0.8, 3.0, 1.0])


def read_as_itk_snap(path):
    """Read a label description file by the rules of ITK-SNAP's ColorLabelTable::LoadFromFile."""
    labels = {}
    for line in path.read_text().split("\n"):
        if not line or line[0] == "#":
            continue
        number, red, green, blue, alpha, visible, mesh = line[: line.index('"')].split()
        name = line[line.index('"') + 1 :]
        labels[int(number)] = (int(red), int(green), int(blue)), float(alpha), (visible, mesh), name[: name.index('"')]
    return labels


def test_itk_snap_reads_names_and_colours(tmp_path):
    label_format = LabelFormat({1: "kidney", 2: 'a "cyst"\nof gr\N{LATIN SMALL LETTER O WITH DIAERESIS}sse'})
    write_prediction(LABELS, tmp_path, "a", "a.nrrd", AFFINE, 3, label_format)
    labels = read_as_itk_snap(tmp_path / "itksnap_labels.txt")
    assert labels[0] == ((0, 0, 0), 0, ("0", "0"), "Clear Label")
    assert labels[1] == (class_colour(1), 1, ("1", "1"), "kidney")
    assert labels[2][3] == "a 'cyst' of gr\N{LATIN SMALL LETTER O WITH DIAERESIS}sse" and len(labels) == 3


def test_the_names_are_a_comment_of_the_header(tmp_path):
    source = tmp_path / "a.nii"
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), AFFINE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"of the scanner"))
    nib.save(image, source)
    path = write_prediction(LABELS, tmp_path / "out", "a", str(source), None, 3, LabelFormat({1: "kidney", 2: "cyst"}))
    written = nib.load(path)
    ours = written.header.extensions[-1]
    assert [extension.get_code() for extension in written.header.extensions] == [6, 6]
    content = ours.get_content()
    text = (content.decode() if isinstance(content, bytes) else content).rstrip("\0")
    assert json.loads(text) == {"labels": {"1": "kidney", "2": "cyst"}}
    np.testing.assert_array_equal(written.dataobj, LABELS[0])
    # other readers find the voxels behind the extension
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).T, LABELS[0])
    np.testing.assert_array_equal(read_volume(path).array, LABELS[0])


def test_probabilities_have_no_names(tmp_path):
    probabilities = np.zeros((2, 4, 5, 6), np.float32)
    path = write_prediction(probabilities, tmp_path, "a", "a.nrrd", AFFINE, 3, LabelFormat({1: "x"}, "seg.nrrd"))
    assert path.name == "a.nii.gz" and not nib.load(path).header.extensions
