"""DICOM segmentations, read by pydicom and highdicom: voxels, places, what they say of classes and of their source."""

import json
import sys

import numpy as np
import pytest

from medkd.io import LabelFormat, class_colour, read_volume, write_prediction
from medkd.io.dicom_series import LPS_TO_RAS
from medkd.phantoms import write_dicom

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")

SHAPE = (9, 7, 5)  # columns, rows, slices
CLASSES = {1: "kidney", 2: "tumour", 3: "Zyste \N{LATIN SMALL LETTER O WITH DIAERESIS}"}
COS, SIN = np.cos(0.4), np.sin(0.4)
TURN = np.array([[COS, -SIN, 0], [SIN, COS, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, COS, -SIN], [0, SIN, COS]])
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3], OBLIQUE[:3, 3] = TURN @ np.diag([0.7, 0.8, 2.5]), (-10, 20, 30)
AFFINES = {
    "plain": np.diag([0.7, 0.8, 2.5, 1.0]),
    "oblique": OBLIQUE,
    "reversed": OBLIQUE @ np.diag([1, 1, -1, 1.0]),
    "tilted": np.array([[0.7, 0, 0, 1], [0, 0.8, 0.9, 2], [0, 0, 2.5, 3], [0, 0, 0, 1]]),
}


def make_labels(*values):
    labels = np.zeros((1, *SHAPE), np.uint8)
    for value in values:
        labels[0, value : value + 4, 1 : 3 + value, value : value + 2] = value
    return labels


def write(folder, series, labels, kind="binary", classes=CLASSES, **options):
    label_format = LabelFormat(classes, "dicom-seg", kind, **options)
    label_format.check_source(series)
    path = write_prediction(labels, folder, "case", str(series), read_volume(series).affine, 4, label_format)
    assert path.name == "case.dcm"
    return highdicom.seg.segread(path)


def voxels_at_mm(segmentation):
    """Return place in RAS+ -> class, frame by frame, of all voxels above 0."""
    found = {}
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    axes = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
    rows, columns = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    frames = segmentation.pixel_array.reshape(-1, segmentation.Rows, segmentation.Columns)
    for frame, group in zip(frames, segmentation.PerFrameFunctionalGroupsSequence, strict=True):
        position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        for row, column in np.argwhere(frame):
            value = int(frame[row, column])
            if segmentation.SegmentationType == "BINARY":
                own = group if "SegmentIdentificationSequence" in group else shared
                value = own.SegmentIdentificationSequence[0].ReferencedSegmentNumber
            point = position + axes[0] * columns * column + axes[1] * rows * row
            key = tuple((LPS_TO_RAS[:3, :3] @ point).round(3) + 0.0)
            assert key not in found
            found[key] = value
    return found


def expected_at_mm(labels, affine):
    points = (affine @ [*np.argwhere(labels[0]).T, np.ones((labels > 0).sum())]).T[:, :3].round(3) + 0.0
    return dict(zip(map(tuple, points), labels[labels > 0].tolist(), strict=True))


@pytest.mark.parametrize("kind", ["binary", "labelmap"])
@pytest.mark.parametrize("name", AFFINES)
def test_voxels_lie_where_those_of_the_nifti_lie(tmp_path, name, kind):
    write_dicom(tmp_path / "series", np.zeros(SHAPE), AFFINES[name])
    labels = make_labels(1, 2, 3)
    segmentation = write(tmp_path / "out", tmp_path / "series", labels, kind)
    assert voxels_at_mm(segmentation) == expected_at_mm(labels, read_volume(tmp_path / "series").affine)
    assert segmentation.NumberOfFrames == SHAPE[2] * (3 if kind == "binary" else 1)
    # by the slices that the frames refer to
    headers = [pydicom.dcmread(file) for file in sorted((tmp_path / "series").iterdir())]
    lowest_first = sorted(headers, key=lambda header: np.dot(_normal(header), header.ImagePositionPatient))
    frames = segmentation.get_pixels_by_source_instance(
        [header.SOPInstanceUID for header in lowest_first],
        combine_segments=True,
        ignore_spatial_locations=name == "tilted",
    )
    np.testing.assert_array_equal(frames, labels[0].T)
    spacing = float(segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices)
    assert spacing == pytest.approx(2.5, abs=1e-6)


def _normal(header):
    axes = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
    return np.cross(*axes)


@pytest.mark.parametrize("kind", ["binary", "labelmap"])
@pytest.mark.parametrize("values", [(1, 3), ()], ids=["a class without voxels", "no voxel at all"])
def test_empty_segments_are_segments(tmp_path, values, kind):
    write_dicom(tmp_path / "series", np.zeros(SHAPE), AFFINES["plain"])
    labels = make_labels(*values)
    segmentation = write(tmp_path / "out", tmp_path / "series", labels, kind)
    assert [segmentation.get_segment_description(value).segment_label for value in CLASSES] == list(CLASSES.values())
    volume = segmentation.get_volume(combine_segments=True)
    assert sorted(np.unique(volume.array)) == [0, *values] and volume.spatial_shape == SHAPE[::-1]


def test_what_it_says_of_classes_and_source(tmp_path):
    tags = {"0008|1030": "abdomen", "0008|0050": "A7"}
    write_dicom(tmp_path / "series", np.zeros(SHAPE), AFFINES["plain"], tags=tags)
    source = pydicom.dcmread(min((tmp_path / "series").iterdir()))
    segmentation = write(tmp_path / "out", tmp_path / "series", make_labels(1), algorithm="medkd kits19")
    names = ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "AccessionNumber", "FrameOfReferenceUID")
    for name in (*names, "StudyDescription"):
        assert segmentation[name].value == source[name].value and segmentation[name].value
    assert segmentation.SeriesInstanceUID != source.SeriesInstanceUID
    assert segmentation.SeriesNumber == 1000 + source.SeriesNumber
    assert segmentation.SeriesDescription == f"Segmentation: {', '.join(CLASSES.values())}"
    referenced = segmentation.ReferencedSeriesSequence[0]
    assert referenced.SeriesInstanceUID == source.SeriesInstanceUID and len(referenced.ReferencedInstanceSequence) == 5
    for value in CLASSES:
        segment = segmentation.get_segment_description(value)
        assert segment.SegmentAlgorithmType == "AUTOMATIC"
        algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmFamilyCodeSequence[0].CodeValue) == (
            "medkd kits19",
            "123110",
        )
        assert algorithm.AlgorithmVersion
        colour = highdicom.color.CIELabColor.from_dicom_value(segment.RecommendedDisplayCIELabValue).to_rgb()
        np.testing.assert_allclose(colour, class_colour(value), atol=1)
    types = [segmentation.get_segment_description(value).segmented_property_type.meaning for value in CLASSES]
    assert types == ["Kidney", "Neoplasm", "Tissue"]


def test_codes_of_a_file(tmp_path):
    def code(*parts):
        return dict(zip(("CodeValue", "CodingSchemeDesignator", "CodeMeaning"), parts, strict=True))

    segment = {
        "labelID": 3,
        "SegmentedPropertyCategoryCodeSequence": code("49755003", "SCT", "Morphologically Abnormal Structure"),
        "SegmentedPropertyTypeCodeSequence": code("77", "99LOCAL", "cyst of ours"),
    }
    file = tmp_path / "codes.json"
    file.write_text(json.dumps({"segmentAttributes": [[segment]], "ContentCreatorName": "x"}))
    write_dicom(tmp_path / "series", np.zeros(SHAPE), AFFINES["plain"])
    segmentation = write(tmp_path / "out", tmp_path / "series", make_labels(1), dicom_codes=file)
    found = [segmentation.get_segment_description(value).segmented_property_type for value in CLASSES]
    assert [(entry.value, entry.meaning) for entry in found][1:] == [("108369006", "Neoplasm"), ("77", "cyst of ours")]
    for content, message in (
        ("{", "is no JSON"),
        ("[]", "found no segmentAttributes"),
        (
            '{"segmentAttributes": [[{"labelID": 4}]]}',
            r"found labelID '4', expected one of 1 \(kidney\), 2 \(tumour\), 3",
        ),
        (
            '{"segmentAttributes": [[{"labelID": 1}]]}',
            "SegmentedPropertyCategoryCodeSequence of labelID 1: expected CodeValue",
        ),
        (json.dumps({"segmentAttributes": [[segment], [segment]]}), "found labelID 3 twice"),
    ):
        file.write_text(content)
        with pytest.raises(ValueError, match=message) as caught:
            LabelFormat(CLASSES, "dicom-seg", dicom_codes=file)
        assert str(caught.value).startswith(f"--dicom_codes {file}: ") and "\n" not in str(caught.value)


def edit(folder, **values):
    """Set elements of every slice; None removes one, a list has a value for each slice."""
    for number, file in enumerate(sorted(folder.iterdir())):
        header = pydicom.dcmread(file)
        for name, value in values.items():
            if value is None:
                del header[name]
            else:
                setattr(header, name, value[number] if isinstance(value, list) else value)
        header.save_as(file)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"PatientID": None, "PatientName": None, "StudyDate": None, "SliceThickness": None}, ""),
        ({"FrameOfReferenceUID": None}, "its slices have no FrameOfReferenceUID"),
        ({"PatientSex": "unknown"}, "found the PatientSex 'unknown'"),
        ({"StudyDate": "yesterday"}, "found the StudyDate 'yesterday'"),
        ({"SpecificCharacterSet": "ISO_IR 100", "PatientName": "M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller^Eva"}, ""),
        ({"PatientID": "7" * 80}, ""),
        ({"SpacingBetweenSlices": "1.0"}, ""),
        ({"SeriesNumber": None}, ""),
    ],
    ids=lambda values: ",".join(values) if isinstance(values, dict) else "",
)
def test_series_of_many_kinds_are_sources(tmp_path, capsys, values, note):
    write_dicom(tmp_path / "series", np.zeros(SHAPE), AFFINES["oblique"])
    edit(tmp_path / "series", **values)
    labels = make_labels(1, 2)
    segmentation = write(tmp_path / "out", tmp_path / "series", labels)
    assert voxels_at_mm(segmentation) == expected_at_mm(labels, read_volume(tmp_path / "series").affine)
    said = capsys.readouterr().err
    assert note in said and bool(note) == bool(said)
    if "SpecificCharacterSet" in values:
        assert str(segmentation.PatientName) == values["PatientName"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"StudyInstanceUID": None}, "slice_000.dcm: found no StudyInstanceUID, expected one"),
        (
            {"SOPInstanceUID": "1.2.3"},
            "series: found slices with one SOPInstanceUID, expected another one for each slice",
        ),
        ({"FrameOfReferenceUID": ["1.1", "1.1", "1.1", "1.1", "1.2"]}, "found 2 values of FrameOfReferenceUID"),
    ],
)
def test_series_that_cannot_be_referred_to(tmp_path, values, message):
    write_dicom(tmp_path / "series", np.zeros(SHAPE), AFFINES["plain"])
    edit(tmp_path / "series", **values)
    with pytest.raises(ValueError, match=message) as caught:
        LabelFormat(CLASSES, "dicom-seg").check_source(tmp_path / "series")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("classes", "options", "message"),
    [
        ({1: "x" * 65}, {}, "found the class 'x+', expected 1 to 64 characters"),
        ({1: "a\\b"}, {}, "found the class"),
        (CLASSES, {"dicom_seg": "fractional"}, "--dicom_seg: found 'fractional', expected binary, labelmap"),
        (CLASSES, {"name": "mha"}, "--format: found 'mha', expected nifti, seg.nrrd, dicom-seg"),
    ],
)
def test_refused_formats(classes, options, message):
    with pytest.raises(ValueError, match=message):
        LabelFormat(classes, **{"name": "dicom-seg", **options})


def test_without_highdicom_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(
        ValueError, match=r'--format dicom-seg: found no highdicom.*pip install -e ".\[dicom\]" in the clone'
    ):
        LabelFormat(CLASSES, "dicom-seg")
    LabelFormat(CLASSES, "seg.nrrd")
    monkeypatch.undo()
    monkeypatch.setattr(highdicom, "__version__", "0.26.1")
    with pytest.raises(ValueError, match=r"found highdicom 0.26.1, expected 0.28 or later"):
        LabelFormat(CLASSES, "dicom-seg")


def test_files_are_no_source(tmp_path):
    label_format = LabelFormat(CLASSES, "dicom-seg")
    with pytest.raises(ValueError, match="a.nii.gz: found a file, expected a folder with a DICOM series"):
        label_format.check_source(tmp_path / "a.nii.gz")
    label_format.check_sources([tmp_path, tmp_path / "a.nii.gz"], tmp_path)  # one of them is a folder
    with pytest.raises(ValueError, match=r"input in: found no DICOM series \(a.nii.gz\), expected one with --format"):
        label_format.check_sources([tmp_path / "a.nii.gz"], "in")
