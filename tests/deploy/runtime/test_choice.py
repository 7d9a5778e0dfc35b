"""The faster runtime is measured once, and told in one line with the reason; what is not installed or not measured, too."""

import json
import sys

import onnx
import pytest

from medkd.deploy.runtime import OnnxModel, choice, infer_command, open_model
from medkd.deploy.runtime.measured import MEASURED_KEY, Measured, PrecisionChange
from medkd.deploy.runtime.runtimes import RUNTIMES

BOTH = [*RUNTIMES]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def fake(monkeypatch):
    """A function that makes runtimes installed, with given seconds; it returns the list of what was measured."""

    def fake(seconds, broken=()):
        measured, real = [], OnnxModel

        def measure(models, window, threads):
            measured.append([*models])
            return {name: seconds[name] for name in models}

        def opened(path, threads, device, runtime, precision):
            if runtime in broken:
                raise ValueError(f"--model {path}: not a readable ONNX file (no such operation)")
            model = real(path, threads, device)  # whichever is installed
            model.runtime = runtime
            return model

        monkeypatch.setattr(choice, "check_installed", lambda path: [*seconds])
        monkeypatch.setattr(choice, "OnnxModel", opened)
        monkeypatch.setattr(choice, "measure", measure)
        return measured

    return fake


def open_auto(file, threads=1):
    return open_model(file, threads, "cpu", "auto", "float32").runtime


@pytest.mark.parametrize("faster", BOTH)
def test_the_faster_one_is_measured_once(exported, cache, fake, capsys, faster):
    measured = fake({name: 0.1 if name == faster else 0.25 for name in BOTH})
    assert open_auto(exported["slices"]) == open_auto(exported["slices"]) == faster
    assert measured == [BOTH]
    first, second = capsys.readouterr().out.splitlines()
    assert (
        first.startswith("note: runtime: ") and RUNTIMES[faster].title in first and "100 ms" in first and "250" in first
    )
    (kept,) = cache.rglob("*.json")
    assert f"measured now, kept in {kept}" in first and f"measured before: {kept}" in second


def test_another_model_or_number_of_threads_is_measured_anew(exported, cache, fake):
    measured = fake(dict.fromkeys(BOTH, 0.1))
    for file, threads in (("slices", 1), ("volumes", 1), ("slices", 2), ("slices", 1)):
        open_auto(exported[file], threads)
    assert len(measured) == 3


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"seconds": {"onnxruntime": 0.1}}', '{"seconds": {"onnxruntime": "a"}}']
)
def test_a_spoiled_measurement_is_made_anew(exported, cache, fake, content):
    measured = fake(dict.fromkeys(BOTH, 0.1))
    open_auto(exported["slices"])
    (file,) = cache.rglob("*.json")
    file.write_text(content)
    open_auto(exported["slices"])
    assert len(measured) == 2 and json.loads(file.read_text())["seconds"]


def test_a_folder_that_cannot_be_written_is_told(exported, tmp_path, monkeypatch, fake, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))  # no folder: nothing can be written below it
    measured = fake(dict.fromkeys(BOTH, 0.1))
    open_auto(exported["slices"])
    open_auto(exported["slices"])
    assert len(measured) == 2 and capsys.readouterr().out.count("measured now, not kept: ") == 2


def test_the_only_one(exported, cache, fake, capsys):
    for name in BOTH:
        assert not fake({name: 0.1}) and open_auto(exported["slices"]) == name
    assert capsys.readouterr().out.count("the only one that is installed") == 2 and not cache.exists()


def test_one_that_cannot_read_the_file_leaves_the_other(exported, cache, fake, capsys):
    measured = fake(dict.fromkeys(BOTH, 0.1), broken=["openvino"])
    assert open_auto(exported["slices"]) == "onnxruntime" and not measured
    assert "the other one cannot be used: --model" in capsys.readouterr().out
    fake(dict.fromkeys(BOTH, 0.1), broken=BOTH)
    with pytest.raises(ValueError, match="not a readable ONNX file"):
        open_auto(exported["slices"])


def test_measured_for_real(exported, cache, capsys):
    pytest.importorskip("openvino")
    model = open_auto(exported["slices"])
    seconds = json.loads(next(cache.rglob("*.json")).read_text())["seconds"]
    assert model == min(seconds, key=seconds.get) and all(0 < value < 60 for value in seconds.values())


@pytest.mark.parametrize("runtime", BOTH)
def test_a_runtime_that_is_missing_is_named(exported, monkeypatch, runtime):
    monkeypatch.setitem(sys.modules, runtime, None)
    monkeypatch.delitem(sys.modules, f"medkd.deploy.runtime.{runtime}_session", raising=False)
    with pytest.raises(ValueError, match=f"--runtime {runtime}: needs .*: pip install {runtime}"):
        open_model(exported["slices"], 1, "cpu", runtime, "float32")


def test_without_any_runtime(exported, monkeypatch):
    monkeypatch.setattr("medkd.deploy.runtime.runtimes.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="needs ONNX Runtime or OpenVINO: pip install onnxruntime, or openvino"):
        open_auto(exported["slices"])
    with pytest.raises(ValueError, match="needs ONNX Runtime or OpenVINO"):
        OnnxModel(exported["slices"])


def with_text(file, folder, text):
    model = onnx.load(file)
    model.DiscardUnknownFields()  # the checksum of the file
    onnx.helper.set_model_props(model, {**{p.key: p.value for p in model.metadata_props}, MEASURED_KEY: text})
    onnx.save(model, folder / "measured.onnx")
    return folder / "measured.onnx"


@pytest.fixture
def bf16():
    pytest.importorskip("openvino")
    from medkd.deploy.runtime.openvino_session import computes_bf16

    if not computes_bf16():
        pytest.skip("a CPU without bf16 units")


def test_bf16_where_it_was_measured(exported, tmp_path, bf16, capsys):
    change = PrecisionChange("test", 0.0012, {"tumour": -0.0007})
    file = with_text(exported["slices"], tmp_path, Measured({"bf16": change}, {}).to_json())
    model = open_model(file, 1, None, "auto", "bf16")
    assert (model.runtime, model.precision) == ("openvino", "bf16")
    first, second = capsys.readouterr().out.splitlines()
    assert "the only one with bf16" in first and "change of Dice tumour -0.0007; 0.12 % of pixels" in second


def test_bf16_where_it_was_not_measured(exported, tmp_path, bf16):
    file = with_text(exported["slices"], tmp_path, Measured({}, {}).to_json())
    with pytest.raises(ValueError, match="--precision bf16: its change of Dice was not measured: export the student"):
        open_model(file, 1, None, "openvino", "bf16")


CHANGE = '{"cases": "test", "other_decision": %s, "dice": %s}'


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"precisions": [], "int8_times": {}}', '{"precisions": {}, "int8_times": {"onnxruntime": "x"}}']
    + [f'{{"precisions": {{"bf16": {CHANGE % pair}}}, "int8_times": {{}}}}' for pair in (('"x"', "{}"), ("0.1", "[]"))],
)
def test_spoiled_measurements_are_told(exported, tmp_path, text):
    with pytest.raises(
        ValueError, match="model .*: its medkd_measured is not what medkd export writes: export it again"
    ):
        open_model(with_text(exported["slices"], tmp_path, text), 1, "cpu", "auto", "float32")


def test_int8_that_does_not_pay_is_told(exported, tmp_path, fake, cache, capsys):
    fake({"onnxruntime": 0.1})
    for ratio, is_told in ((1.3, True), (0.6, False)):
        file = with_text(exported["slices"], tmp_path, Measured({}, {"onnxruntime": ratio}).to_json())
        open_model(file, 1, "cpu", "auto", "float32")
        told = "int8 took 1.30 times as long as float32 with ONNX Runtime when exported: --format onnx is faster"
        assert (told in capsys.readouterr().out) == is_told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--runtime", "onnxruntime", "--precision", "bf16"], "--precision bf16: ONNX Runtime has no bf16 on a CPU"),
        (["--runtime", "openvino", "--device", "cuda"], "--device cuda: has no effect with --runtime openvino"),
    ],
)
def test_what_does_not_fit_together(exported, tmp_path, words, message):
    folders = ["--input", str(tmp_path), "--output_dir", str(tmp_path / "out")]
    with pytest.raises(ValueError, match=message):
        infer_command(["infer", "--model", str(exported["slices"]), *folders, *words], ["kits19"])


def test_bf16_without_openvino(exported, fake):
    fake({"onnxruntime": 0.1})
    with pytest.raises(ValueError, match="--precision bf16: needs OpenVINO: pip install openvino"):
        open_model(exported["slices"], 1, "cpu", "auto", "bf16")
