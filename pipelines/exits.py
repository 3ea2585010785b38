"""Exit codes of the command line."""

from __future__ import annotations

import click

WRONG_ARGUMENTS, FAILED = 2, 1


class UsageError(click.ClickException):
    """Wrong arguments: one line, exit code 2."""

    exit_code = WRONG_ARGUMENTS
