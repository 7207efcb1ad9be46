"""The command `gradlab`: the library from a terminal, on a cluster's login node, in a CI job.

settings      options made of the catalogue's fields, and the experiments that they name
files         what a file holds: a log, a recorded network, a run, a checkpoint
output        sentences, tables, JSON, progress bars
app, trace, paths, train, sweep, diagnose, remedies, export, bench     one command each

Exit codes: 0, done; 1, something was found (for CI: a gradient that does not keep its size, a remedy that helps, a
training that diverged, a point of a sweep that could not be measured); 2, the call was wrong, and the message says what
is allowed; 3, gradlab itself failed.

No module here imports torch, or what does, before a command runs: `gradlab --help` takes a fraction of a second.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any

import click

from gradlab.command.app import app
from gradlab.command.bench import bench
from gradlab.command.diagnose import diagnose
from gradlab.command.export import export
from gradlab.command.paths import paths
from gradlab.command.remedies import remedies
from gradlab.command.sweep import sweep
from gradlab.command.trace import trace
from gradlab.command.train import train
from gradlab.version import VERSION

COMMANDS = (app, trace, paths, train, sweep, diagnose, remedies, export, bench)
FAILED = 3
INTERRUPTED = 130
COMPLETION = """\b
Shell completion, here for bash (zsh and fish likewise):
  eval "$(_GRADLAB_COMPLETE=bash_source gradlab)"
"""


class Refused(click.ClickException):
    """A call that the library refuses, with its sentence."""

    exit_code = 2


class Gradlab(click.Group):
    """Says what the library refuses as a wrong call, and not as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader has seen enough, as `| head` has
            raise
        except (ValueError, TypeError, OSError, ImportError) as error:
            if _is_refusal(error):
                raise Refused(str(error)) from error
            raise
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


def _is_refusal(error: Exception) -> bool:
    """Whether somebody wrote the message for the caller; TypeErrors and ImportErrors are mostly Python's own."""
    return isinstance(error, ValueError | OSError) or "did you mean" in str(error) or "pip install" in str(error)


@click.group(
    cls=Gradlab,
    commands=list(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog=COMPLETION,
)
@click.version_option(VERSION, prog_name="gradlab")
def gradlab() -> None:
    """See where the gradient of a recurrent network goes."""


def main() -> None:
    """The script's entry."""
    try:
        gradlab(prog_name="gradlab")
    except Exception:
        traceback.print_exc()
        sys.exit(FAILED)
