"""How a command is found, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from stethoscope.cli import COMMANDS, Entry, main
from stethoscope.command import CommandError
from stethoscope.settings import SettingsError

GREET = {"greet": Entry("commands_of_the_tests", "say hello", extra="polite")}


@pytest.fixture
def behave(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], int]], None]:
    """Make ``greet`` a command that calls this with the name that it was given."""

    def install(greet: Callable[[str], int]) -> None:
        module = ModuleType("commands_of_the_tests")
        vars(module).update(
            add_arguments=lambda parser: parser.add_argument("--name", required=True),
            run=lambda arguments: greet(arguments.name),
        )
        monkeypatch.setitem(sys.modules, "commands_of_the_tests", module)

    return install


Behave = Callable[[Callable[[str], int]], None]


def fail(error: BaseException) -> Callable[[str], int]:
    def greet(name: str) -> int:
        raise error

    return greet


def test_a_command_gets_its_arguments_and_its_status_is_returned(behave: Behave) -> None:
    behave(len)
    assert main(["greet", "--name", "Ada"], GREET) == 3


@pytest.mark.parametrize("error", [CommandError("no such\nperson: try Ada"), SettingsError("no such person: try Ada")])
def test_what_the_user_got_wrong_is_one_line(
    behave: Behave, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    behave(fail(error))
    assert main(["greet", "--name", "Bob"], GREET) == 2
    assert capsys.readouterr().err == "stethoscope greet: no such person: try Ada\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (
            ["greet"],
            "stethoscope greet: the following arguments are required: --name; see 'stethoscope greet --help'\n",
        ),
        ([], "stethoscope: the following arguments are required: command; see 'stethoscope --help'\n"),
        (["hum"], "stethoscope: argument command: invalid choice: 'hum' (choose from "),
    ],
)
def test_wrong_arguments_are_one_line(
    behave: Behave, argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    behave(len)
    with pytest.raises(SystemExit) as ended:
        main(argv, GREET)
    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_a_missing_extra_is_named(behave: Behave, capsys: pytest.CaptureFixture[str]) -> None:
    behave(fail(ModuleNotFoundError("No module named 'manners'", name="manners")))
    assert main(["greet", "--name", "Ada"], GREET) == 2
    assert "needs manners, which is not installed: pip install 'stethoscope[polite]'" in capsys.readouterr().err


def test_a_missing_module_of_ours_is_a_bug_and_shown_as_one(behave: Behave) -> None:
    behave(fail(ModuleNotFoundError("No module named 'stethoscope.x'", name="stethoscope.x")))
    with pytest.raises(ModuleNotFoundError):
        main(["greet", "--name", "Ada"], GREET)


def test_an_interrupt_ends_without_a_traceback(behave: Behave) -> None:
    behave(fail(KeyboardInterrupt()))
    assert main(["greet", "--name", "Ada"], GREET) == 130


def test_help_lists_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"], GREET)
    assert ended.value.code == 0
    assert "  greet         say hello" in capsys.readouterr().out


def test_a_reader_of_stdout_that_goes_away_is_no_error() -> None:
    code = "import sys; from stethoscope.cli import *; from tests.cli.test_cli import *; sys.exit(endless())"
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        writer.stdout.readline()
        writer.stdout.close()
        assert writer.wait(30) == 141
        assert writer.stderr.read() == b""


def endless() -> int:
    module = ModuleType("commands_of_the_tests")

    def run(arguments: object) -> int:
        while True:
            print("hello")

    vars(module).update(add_arguments=lambda parser: None, run=run)
    sys.modules["commands_of_the_tests"] = module
    return main(["greet"], GREET)


def test_the_module_runs_as_the_program_does() -> None:
    command = [sys.executable, "-m", "stethoscope", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("stethoscope ")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: stethoscope {name}" in capsys.readouterr().out


def test_help_needs_no_extra() -> None:
    code = "import sys; sys.modules.update(starlette=None, uvicorn=None); from stethoscope.cli import main; main(['sidecar', '--help'])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "usage: stethoscope sidecar" in told.stdout
