"""Records of strangers, for every verb that reads one: nothing in them is executed, one line says what is wrong."""

import shutil

import pytest
import yaml

from medkd.cli.main import main
from medkd.runs import FinishedRun

CODE = "$__import__('pathlib').Path('executed').touch()"
COMPONENT = {"_target_": "builtins.open", "file": "executed", "mode": "w"}
# what a record may never say
REFUSED = {
    "nested expression": {"image_size": [CODE, 32]},
    "component": {"student_width": COMPONENT, "teacher_width": COMPONENT},
    "reference": {"evil": CODE, "trained_with": {"window": ["@evil", 300]}},
    "macro": {"evil": COMPONENT, "method_args": {"weight": {"a": "%evil"}}},
    "mode of a component": {"window": {"_target_": "builtins.open", "_mode_": "callable", "_requires_": [CODE]}},
    "expression in resolved values": {"trained_with": {"classes": {1: CODE}}},
    "not a number": {"student_width": float("nan"), "teacher_width": float("nan")},
    "huge": {"teacher_layers": 10**12, "student_width": 10**30},
    "another type": {"target": ["tumour"], "window": "x"},
    "date": {"overlap": yaml.safe_load("2001-01-01")},
}
# what a record says of its own configuration, which is not read
IGNORED = {
    "configuration": {
        "imports": [CODE],
        "initialize": [CODE],
        "run": [CODE],
        "values": CODE,
        "decide": CODE,
        "network": COMPONENT,
        "network_def": COMPONENT,
        "validate": {"preprocessing": COMPONENT, "key_metric": CODE},
        "inferer": COMPONENT,
        "test": {"data": [COMPONENT], "evaluator": COMPONENT},
        "meta_file": "evil.json",
        "logging_file": "evil.conf",
        "_target_": "builtins.open",
    }
}
BOMB = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9) if n else 'x'}]" for n in range(12))
DAMAGED = {
    "broken": lambda text: text[:900] + "\n  bad: [1,\n",
    "cut between lines": lambda text: f"imports: [$import medkd.data as data]\n{text}",
    "zeros": lambda text: "\0" * len(text),
    "empty": lambda text: "",
    "list": lambda text: "- 1\n- 2\n",
    "tag": lambda text: f"{text}\na: !!python/object/apply:os.system ['touch executed']\n",
    "bomb": lambda text: f"{text}\n{BOMB}\n",
    "nesting": lambda text: f"{text}\na: " + 200_000 * "[",
}


@pytest.fixture
def run(students, tmp_path, monkeypatch):
    """A copy of a student of slices, whose record the test changes, and the words of each verb that reads it."""
    task, folder, data = students["slices"]
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    record = {**yaml.safe_load((copy / "config.yaml").read_text()), "bundle_root": f"bundles/{task}"}
    (copy / "config.yaml").write_text(yaml.safe_dump(record, sort_keys=False))
    return task, copy, data, record


def words_of(verb, task, run, data):
    image = next(data.rglob("*.b2nd"))
    model, out, dataset = ["--model", run], ["--output_dir", "out"], ["--dataset_dir", data]
    distill = ["distill", task, "--method", "plckd", *dataset, *out, "--device", "cpu"]
    words = {
        "infer": ["infer", task, *model, "--input", image, *out],
        "infer without a task": ["infer", *model, "--input", image, *out],
        "evaluate": ["evaluate", task, *model, *dataset, *out],
        "export": ["export", task, *model, *dataset, *out, "--format", "torchscript"],
        "pack": ["pack", task, *model, *out],
        "distill": [*distill, "--teacher", run],
        "false-pixel assistant": [*distill, "--false_pixel_assistant", run],
        "boundary assistant": [*distill, "--boundary_assistant", run],
        "distill, method kd": ["distill", task, "--method", "kd", *dataset, *out, "--device", "cpu", "--teacher", run],
        "report": ["report", "--run", f"a={run}", "--html", *out],
        "report of folders": ["report", run, *out],
        "figures": ["figures", "--run", f"a={run}", *dataset, *out],
        "figures of a task": ["figures", task, "--run", f"a={run}", *dataset, *out],
        "figures of a team": ["figures", task, "--teacher", run, *dataset, *out],
    }
    return [str(word) for word in words[verb]]


VERBS = ("infer", "infer without a task", "evaluate", "export", "pack", "distill", "distill, method kd")
VERBS += (
    "report",
    "report of folders",
    "figures",
    "figures of a task",
    "figures of a team",
    "false-pixel assistant",
    "boundary assistant",
)


@pytest.mark.parametrize("payload", REFUSED)
@pytest.mark.parametrize("verb", VERBS)
def test_what_a_record_may_never_say(run, capsys, verb, payload):
    task, folder, data, record = run
    trained_with = {**record["trained_with"], **REFUSED[payload].get("trained_with", {})}
    content = {**record, **REFUSED[payload], "trained_with": trained_with}
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    assert main(words_of(verb, task, folder, data)) in (1, 2)
    line = capsys.readouterr().err.strip()
    assert f"{folder}/config.yaml: " in line and "found" in line and "expected" in line and "\n" not in line
    assert not list(folder.parent.rglob("executed")) and not list((folder.parent / "work").iterdir())


@pytest.mark.parametrize("payload", DAMAGED)
@pytest.mark.parametrize("verb", VERBS)
def test_a_damaged_record_is_not_a_missing_one(run, capsys, verb, payload):
    task, folder, data, _ = run
    record = folder / "config.yaml"
    record.write_text(DAMAGED[payload](record.read_text()))
    assert main(words_of(verb, task, folder, data)) != 0
    line = capsys.readouterr().err.strip()
    assert f"{record}: " in line and "no config.yaml" not in line and "\n" not in line
    assert not list(folder.parent.rglob("executed")) and not list((folder.parent / "work").iterdir())


@pytest.mark.parametrize("verb", ["pack", "report", "export"])
def test_the_configuration_of_a_record_is_not_executed(run, capsys, verb):
    task, folder, data, record = run
    (folder / "config.yaml").write_text(yaml.safe_dump({**record, **IGNORED["configuration"]}))
    (folder / "metrics.csv").write_text("case,class,dice,iou,hd95,missed\na,tumour,0.5,0.4,3,0\n")
    (folder / "summary.json").write_text("{}")
    assert main(words_of(verb, task, folder, data)) == 0
    assert not list(folder.parent.rglob("executed"))
    if verb == "report":
        assert "trust_record" in (folder.parent / "work/out/table.md").read_text()
    for packed in (folder.parent / "work/out").rglob("*.json"):
        assert "executed" not in packed.read_text()


@pytest.mark.parametrize("payload", REFUSED | IGNORED)
def test_a_run_opened_from_python(run, payload):
    _, folder, _, record = run
    (folder / "config.yaml").write_text(yaml.safe_dump({**record, **(REFUSED | IGNORED)[payload]}))
    with pytest.raises(ValueError, match=r"config.yaml: .*found"):
        FinishedRun(folder)
    assert not list(folder.parent.rglob("executed"))


def test_a_run_is_no_bundle_whatever_lies_beside_its_record(run, capsys):
    task, folder, data, _ = run
    (folder / "configs").mkdir()
    config = {"imports": [CODE], "network_def": COMPONENT}
    (folder / "configs/inference.json").write_text(yaml.safe_dump(config, default_flow_style=True, width=10**6))
    main(words_of("distill, method kd", task, folder, data))
    assert not list(folder.parent.rglob("executed"))


@pytest.mark.parametrize("summary", ['{"a": {"dice": {"mean": "0.5", "std": 0, "n": 1}}}', '{"a": [1]}', "[1]", "{"])
def test_packing_a_run_with_a_damaged_summary(run, capsys, summary):
    task, folder, data, _ = run
    (folder / "summary.json").write_text(summary)
    assert main(words_of("pack", task, folder, data)) in (1, 2)
    line = capsys.readouterr().err.strip()
    assert f"{folder}/summary.json: found another content, expected the summary" in line and "\n" not in line
    assert not list((folder.parent / "work").iterdir())
