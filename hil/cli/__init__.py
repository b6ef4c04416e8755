"""The command line. Each command lives in a file of its own and imports what it needs when it is called."""

from __future__ import annotations

import os
import sys

import typer

from hil import __version__
from hil.cli import (
    bench,
    cells,
    check,
    convert,
    doctor,
    fit,
    instrument,
    judge,
    map_,
    new,
    plot,
    replay,
    run,
    say,
    scan,
    score,
    send,
    serve,
    show,
    watch,
)

app = typer.Typer(
    name="nabench",
    help="BMS firmware emulator and hardware-in-the-loop test bench for sodium-ion packs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("judge")(judge.judge)
app.command("plot")(plot.plot)
app.command("check")(check.check)
app.command("list")(show.show)
app.command("cells")(cells.cells)
app.command("map")(map_.map_)
app.command("new")(new.new)
app.command("fit")(fit.fit)
app.command("score")(score.score)
app.command("replay")(replay.replay)
app.command("convert")(convert.convert)
app.command("serve")(serve.serve)
app.command("watch")(watch.watch)
app.command("scan")(scan.scan)
app.command("send")(send.send)
app.command("instrument")(instrument.instrument)
app.command("doctor")(doctor.doctor)
app.command("bench")(bench.bench)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nabench {__version__}")
        raise typer.Exit


@app.callback()
def _root(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version.")) -> None:
    pass


def main() -> None:
    """Entry point: what a user did wrong ends in sentences and exit code 2, never in a traceback."""
    from hil.errors import NabenchError

    try:
        app()
    except NabenchError as error:
        say.errors(error.problems)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        typer.echo(f"error: {error.filename or 'this machine'}: {error.strerror or error}", err=True)
        sys.exit(2)
    except MemoryError:
        typer.echo("error: there is not enough memory for this", err=True)
        sys.exit(2)
