# SPDX-License-Identifier: Apache-2.0
"""The command line `cimple`.

Only the module of the command that is called is imported, so that help is fast and a missing
optional dependency concerns those alone who use it. Nothing ends in a traceback that a user could
put right.
"""

import contextlib
import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, NoReturn

import typer

from ..hdl.errors import CimpleError
from ..hdl.version import version as installed_version
from .commands.table import COMMANDS, Command

__all__ = ["main"]

#: Exit codes: bad input or surroundings; interrupted; nobody reads the output any more. The last
#: two are what a shell reports for SIGINT and SIGPIPE.
EXIT_ERROR, EXIT_INTERRUPTED, EXIT_PIPE = 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    called = next((word for word in words if not word.startswith("-")), None)
    with _exit_code(called):
        _app(called)(args=words, prog_name="cimple", standalone_mode=True)
    raise SystemExit(0)


def _app(called: str | None) -> typer.Typer:
    """The application, with all commands by name and the called one in full."""
    app = typer.Typer(
        name="cimple",
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        no_args_is_help=True,
    )
    app.callback(help="Generate, verify and run digital SRAM compute-in-memory hardware.")(_options)
    for command in COMMANDS:
        if command.name == called:
            app.command(command.name, short_help=command.summary)(_guarded(command))
        else:
            app.command(command.name, help=command.summary)(_not_called)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cimple {installed_version()}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Options that come before the command; their callbacks do the work."""


def _not_called() -> None:
    raise AssertionError("a command that is not called does not run")


def _guarded(command: Command) -> Callable[..., Any]:
    """The command's function, whose errors end here, before the option parser sees them."""
    function = command.load()

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        with _exit_code(command.name):
            return function(*arguments, **options)

    return call


@contextlib.contextmanager
def _exit_code(called: str | None) -> Iterator[None]:
    """End the process with one clear message, not with a traceback."""
    try:
        yield
    except CimpleError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        extra = next((command.extra for command in COMMANDS if command.name == called), "")
        if not extra or (error.name or "").partition(".")[0] == "cimple":
            raise
        _fail(f"cimple {called} needs the extra {extra!r}: pip install 'cimple[{extra}]'")
    except KeyboardInterrupt:
        _end("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Python flushes again on its way out; let it write to nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(EXIT_PIPE) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}")


def _fail(message: str) -> NoReturn:
    label = typer.style("error:", fg=typer.colors.RED)
    _end("\n".join(f"{label} {line}" for line in message.splitlines()), EXIT_ERROR)


def _end(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    # Amaranth would complain of every component that was made and is not used any more.
    warnings.simplefilter("ignore")
    raise SystemExit(code)
