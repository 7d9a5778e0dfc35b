"""Commands in notebooks."""

import pytest

from medkd.cli.shell import run


@pytest.fixture
def calls(monkeypatch):
    """The words of each command; the command "fail" ends with code 2, and "leave" the process itself."""
    calls = []

    def main(words):
        calls.append(words)
        if words[0] == "leave":
            raise SystemExit(2)
        return 2 if words[0] == "fail" else 0

    monkeypatch.setattr("medkd.cli.shell.main", main)
    return calls


def test_commands_are_split_as_a_shell_does(calls):
    run("""medkd report --run "a b=H_0"
           --output_dir T""")
    assert calls == [["report", "--run", "a b=H_0", "--output_dir", "T"]]


def test_failed_commands_stop_a_notebook(calls):
    for verb in ("fail", "leave"):
        with pytest.raises(RuntimeError, match=rf"the command failed \(exit code 2\): medkd {verb}"):
            run(f"medkd {verb}")


@pytest.mark.parametrize("command", ["", "rm -r x"])
def test_other_programs_are_refused(command, calls):
    with pytest.raises(ValueError, match="run: found the program .*, expected a command such as 'medkd methods'"):
        run(command)
    assert not calls
