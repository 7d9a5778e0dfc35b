"""The one reader of a run's files: what it makes of files that are missing, broken or another tool's."""

import os

import pandas as pd
import pytest
import yaml

from medkd.runs import RunFolder

RECORD = {"bundle_root": "bundles/kits19", "method": "kd", "image_size": [32, 32]}
BROKEN_YAML = ["a: [1", "a: !!x 1", "\0", "{ not: yaml", "bundle_root: b\n  x: 1\n"]
NO_NAMES = {"": "no content", "window": "str", "- window\n": "list", "\n\n# a\n": "no content"}
CUT = ["imports:\n- $import medkd.data as data\n", "imports: [$import medkd]\nbundle_root: b\nwindow:\n"]
OTHER_YAML = ["defaults: [a]\nwindow: [0, 5]\n", "imports: [$import glob]\n"]


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


class TestConfig:
    def test_what_is_written_is_read(self, folder):
        folder.write_config(RECORD)
        assert folder.read_config() == folder.require_config() == RECORD
        assert yaml.safe_load(folder.config.read_text()) == RECORD

    def test_missing(self, folder):
        assert folder.read_config() is None
        with pytest.raises(FileNotFoundError, match=r"run/config.yaml: no such file, expected the record of a run$"):
            folder.require_config()

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            *((text, r"not YAML \(.+\)") for text in BROKEN_YAML),
            *((text, f"found {kind}") for text, kind in NO_NAMES.items()),
            *((text, "found the beginning of a record alone") for text in CUT),
        ],
    )
    def test_a_damaged_record_is_not_a_missing_one(self, folder, text, found):
        folder.path.mkdir()
        folder.config.write_text(text)
        for read in (folder.read_config, folder.require_config, folder.read_content, folder.require_content):
            with pytest.raises(ValueError, match=rf"run/config.yaml: {found}, expected the (whole )?record of a run"):
                read()

    def test_of_text_that_is_no_unicode(self, folder):
        folder.path.mkdir()
        folder.config.write_bytes(b"bundle_root: \xff")
        with pytest.raises(ValueError, match=r"run/config.yaml: not YAML \("):
            folder.read_config()

    @pytest.mark.parametrize("text", OTHER_YAML)
    def test_of_another_tool(self, folder, text):
        folder.path.mkdir()
        folder.config.write_text(text)
        assert folder.read_config() is None
        with pytest.raises(ValueError, match=r"run/config.yaml: found another content, expected the record of a run$"):
            folder.require_config()

    def test_folder_of_that_name(self, folder):
        folder.config.mkdir(parents=True)
        assert folder.read_config() is None
        with pytest.raises(ValueError, match="found another content"):
            folder.require_config()

    def test_prefix_separates_records(self, folder):
        RunFolder(folder.path, "evaluate_").write_config({**RECORD, "method": "evaluated"})
        assert folder.read_config() is None
        assert (folder.path / "evaluate_config.yaml").is_file()

    def test_record_of_a_model_lies_beside_it(self, folder):
        folder.write_config(RECORD)
        for model in (folder.path, folder.model, folder.path / "gone.pt"):
            assert RunFolder.of_model(model).read_config() == RECORD


READERS = {
    "environment": (RunFolder.read_environment, RunFolder.write_environment, {"seed": 3}),
    "summary": (
        RunFolder.read_summary,
        RunFolder.write_summary,
        {"tumour": {"dice": {"mean": 0.5, "std": 0.1, "n": 2}}},
    ),
    "correction": (RunFolder.read_correction, RunFolder.write_correction, {"pixels": 7}),
}


class TestJSON:
    @pytest.mark.parametrize("name", READERS)
    def test_what_is_written_is_read(self, folder, name):
        read, write, content = READERS[name]
        assert read(folder) is None
        write(folder, content)
        assert read(folder) == content

    @pytest.mark.parametrize("name", READERS)
    @pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
    def test_broken_or_of_another_tool(self, folder, name, content):
        folder.path.mkdir()
        getattr(folder, name).write_bytes(content)
        assert READERS[name][0](folder) is None

    @pytest.mark.parametrize(
        "content",
        [
            [0.5],
            0.5,
            {"dice": 0.5},
            {"dice": {"mean": "0.5", "std": 0.1, "n": 2}},
            {"dice": {"mean": 0.5, "std": None, "n": 2}},
            {"dice": {"mean": True, "std": 0.1, "n": 2}},
            {"dice": {"mean": 0.5, "std": 0.1, "n": [2]}},
            {"dice": {"mean": 0.5}},
        ],
        ids=str,
    )
    def test_a_summary_with_values_of_another_kind(self, folder, content):
        folder.write_summary({"tumour": content})
        assert folder.read_summary() is None
        with pytest.raises(ValueError, match="run/summary.json: found another content, expected the summary"):
            folder.require_summary()

    @pytest.mark.parametrize(
        "content", [{}, {"seed": "0"}, {"seed": 0, "versions": ["torch"]}, {"seed": 0, "command": 1}]
    )
    def test_an_environment_with_values_of_another_kind(self, folder, content):
        folder.write_environment(content)
        assert folder.read_environment() is None

    def test_a_metric_without_any_value(self, folder):
        summary = {"tumour": {"hd95": {"mean": None, "std": None, "n": 0}, "dice": {"mean": 1, "std": 0.0, "n": 1}}}
        folder.write_summary(summary)
        assert folder.read_summary() == summary

    def test_required_summary(self, folder):
        message = "run/summary.json: no such file, expected the summary of a run, written by `medkd evaluate`"
        with pytest.raises(FileNotFoundError, match=message):
            folder.require_summary()
        folder.path.mkdir()
        folder.summary.write_text("[]")
        with pytest.raises(ValueError, match="run/summary.json: found another content, expected the summary"):
            folder.require_summary()

    def test_mlflow(self, folder):
        assert folder.read_mlflow() is None
        folder.write_mlflow("sqlite:///x.db", "12")
        assert folder.read_mlflow() == {"tracking": "sqlite:///x.db", "run_id": "12"}


class TestMetrics:
    def test_names_stay_text(self, folder):
        table = pd.DataFrame(
            {"case": ["NA", "007"], "class": ["null", "1"], "dice": [0.5, None], "patient": ["=01", "None"]}
        )
        folder.write_metrics(table)
        read = folder.read_metrics()
        assert read is not None
        pd.testing.assert_frame_equal(read, table)

    def test_a_name_is_no_formula_in_the_file_and_is_read_as_it_was(self, folder):
        table = pd.DataFrame(
            {"case": ["=1+1", "'=1", "-0.5", "@x"], "class": ["+a", "b", "=c", "d"], "dice": [-0.5, 1, 2, None]}
        )
        folder.write_metrics(table)
        assert folder.metrics.read_text().splitlines()[1:] == ["'=1+1,'+a,-0.5", "''=1,b,1.0", "-0.5,'=c,2.0", "'@x,d,"]
        pd.testing.assert_frame_equal(folder.read_metrics(), table)

    @pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"case,class\n1,2\n1,2,3\n", b"case,class\n\xff,1\n"])
    def test_broken_or_of_another_tool(self, folder, content):
        assert folder.read_metrics() is None
        with pytest.raises(FileNotFoundError, match=r"run/metrics.csv: no such file, expected the metrics of a run"):
            folder.require_metrics()
        folder.path.mkdir()
        folder.metrics.write_bytes(content)
        assert folder.read_metrics() is None
        with pytest.raises(ValueError, match=r"run/metrics.csv: found another content, expected the metrics of a run"):
            folder.require_metrics()


class TestState:
    def test_of_a_run(self, folder):
        folder.path.mkdir()
        assert not folder.has_begun and not folder.has_ended
        folder.resume.touch()
        assert folder.has_begun
        folder.resume.unlink()
        folder.save_model({})
        folder.metrics.touch()
        assert folder.has_begun and not folder.has_ended
        folder.summary.touch()
        assert folder.has_ended

    def test_last_line_of_a_log(self, tmp_path):
        folder = RunFolder(tmp_path / "kits19/kd/seed_0")
        assert folder.log == tmp_path / "logs/kits19/kd/seed_0.log"
        assert folder.read_last_line() == ""
        folder.log.parent.mkdir(parents=True)
        folder.log.write_bytes(b"first\nbar 1\rbar 2 \xff\n\n")
        assert folder.read_last_line() == "bar 2 \ufffd"


@pytest.mark.skipif(os.name == "nt", reason="modes do not count on Windows")
def test_missing_permission_is_raised(folder, ordinary_user):
    folder.write_config(RECORD)
    folder.config.chmod(0)
    with ordinary_user(), pytest.raises(PermissionError):
        folder.read_config()
