"""How the command starts: fast, with help, and with exit code 2 for what it does not understand."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from command import nabench

from hil import __version__, cli

COMMANDS = ("run", "judge", "plot", "check", "list", "new", "serve", "watch", "send", "scan", "instrument", "doctor", "bench")
HEAVY = {"numba", "numpy", "pydantic", "bokeh", "cantools", "can", "serial", "jinja2"}
# Help, and then which modules were imported for it.
LOADED = """
import sys
from hil.cli import main
for name in sys.argv[1:] or [""]:
    sys.argv = ["nabench", *name.split(), "--help"]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, end.code
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(("commands", "typer_s_own"), [((), set()), (COMMANDS, {"pydantic"})])
def test_help_needs_none_of_the_heavy_libraries(commands: tuple[str, ...], typer_s_own: set[str]) -> None:
    """Each command imports what it needs when it is called; so help, and a slip of the pen, are answered at once."""
    done = subprocess.run([sys.executable, "-c", LOADED, *commands], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    assert max(len(commands), 1) == done.stdout.count("Usage: ")
    assert set() == (HEAVY & set(done.stderr.split())) - typer_s_own


def test_help_names_every_command() -> None:
    """With a sentence on each."""
    ran = nabench("--help")
    assert (0, "") == (ran.code, ran.err)
    assert [] == [name for name in COMMANDS if f" {name} " not in ran.out]


def test_the_version_is_that_of_the_package() -> None:
    """One line."""
    assert (0, f"nabench {__version__}\n", "") == nabench("--version")


def test_the_installed_command_is_this_one() -> None:
    """The entry point of the distribution leads to the function that the tests call."""
    (point,) = entry_points(group="console_scripts", name="nabench")
    assert cli.main is point.load()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rum"], "Did you mean 'run'?"),
        (["run", "--ot", "x"], "--out"),
        (["run", "--seed", "-1"], "greater than or equal to 0"),
        (["run", "--seed", "9007199254740993"], "less than or equal to"),
        (["run", "--seed", "many"], "--seed"),
        (["list", "fault"], "; did you mean 'faults'?"),
        (["list", "scenarioz"], "is not one of 'scenarios', 'faults',"),
        (["list", "scenarioz"], "; did you mean 'scenarios'?"),
        (["list", "what"], "is not one of 'scenarios', 'faults',"),
        (["new", "celll"], "; did you mean 'cell'?"),
        (["list"], "Missing argument"),
        (["new", "senario"], "'scenario'"),
        (["judge"], "Missing argument"),
        (["check"], "Missing argument"),
    ],
)
def test_wrong_usage_is_exit_code_2_with_what_would_be_right(words: list[str], said: str) -> None:
    """On stderr; stdout stays free."""
    ran = nabench(*words)
    assert (2, "") == (ran.code, ran.out)
    assert said in " ".join(ran.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["watch", "foo:bar"], 'bus "foo:bar": there is no interface "foo"; valid: '),
        (
            ["watch", "virtual:x", "--network", "clasic"],
            'network "clasic" is neither shipped nor a path; did you mean "classic"?',
        ),
        (["watch", "virtual:x", "--dbc", "nowhere.dbc"], "nowhere.dbc: does not exist"),
        (
            ["watch", "virtual:x", "--once", "--only", "BMS_*", "--only", "BMZ*"],
            '--only "BMZ*" fits no signal and no message; did you mean "BMS*"?',
        ),
        (
            ["watch", "virtual:x", "--once", "--only", "BMS_Stat"],
            '--only "BMS_Stat" fits no signal and no message; did you mean "BMS_State"?',
        ),
        (
            ["serve", "--bus", "virtual:x", "--pack", "nfm-16"],
            'pack "nfm-16" is neither shipped nor a path; did you mean "nfm-16s"?',
        ),
        (
            ["serve", "--bus", "virtual:x", "--calibration", "nfm-16"],
            'calibration "nfm-16" is neither shipped nor a path; did you mean "nfm-16s"?',
        ),
        (
            ["bench", "--cells", "16,many"],
            '--cells "16,many": expected numbers from 1 to 192 with commas between, such as 16,96,192',
        ),
    ],
)
def test_wrong_names_are_exit_code_2_with_the_nearest(words: list[str], said: str) -> None:
    """One sentence each."""
    ran = nabench(*words)
    assert (2, "") == (ran.code, ran.out)
    (problem,) = ran.problems
    assert problem.startswith(said)


def test_a_watch_that_hears_nothing_says_what_it_may_be() -> None:
    """The last run left the supply of the device off."""
    ran = nabench("watch", "virtual:nobody", "--once", "--for", "0.05")
    assert 3 == ran.code
    (line,) = ran.err.splitlines()
    assert line.startswith('nothing was heard on "virtual:nobody"; is the device powered, and on this bus?')
    assert "A run leaves its supply switched off" in line
