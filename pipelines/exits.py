"""How the command line ends: exit codes, and the one line that says why."""

from __future__ import annotations

import re

import click

WRONG_ARGUMENTS, FAILED, INTERRUPTED = 2, 1, 130
LONGEST = 600
"""Characters of the one line."""
OURS = ("ann_keras.", "pipelines.", "serving.")


class UsageError(click.ClickException):
    """Wrong arguments: one line, exit code 2."""

    exit_code = WRONG_ARGUMENTS


class ComponentError(RuntimeError):
    """A component failed; its cause is the error that it raised."""


def essence(error: BaseException) -> str:
    """The one line that matters: the component that failed, and the error that began it.

    That is the first of the chain of causes, or the first whose class is our own and so was raised to be read.
    """
    component = ""
    while error.__cause__ is not None and (isinstance(error, ComponentError) or not _is_ours(error)):
        if isinstance(error, ComponentError):
            component = f"{error}: "
        error = error.__cause__
    return component + _one_line(error)


def _is_ours(error: BaseException) -> bool:
    return type(error).__module__.startswith(OURS)


def _one_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    if any(line.startswith("Traceback (most recent call last)") for line in lines):
        # Beam hands on what a worker raised as text.
        lines = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Interrupt)\b", line)][-1:] or lines[-1:]
    elif lines and lines[0].startswith("Graph execution error"):
        # TensorFlow tells where the graph was made before it tells what is wrong.
        after = [number for number, line in enumerate(lines) if line.startswith("Node: ")]
        lines = lines[after[0] + 1 :] if after else lines[-1:]
    text = " ".join(" ".join(lines).split(" [while running")[0].split()) or type(error).__name__
    if isinstance(error, KeyError | AssertionError | TypeError | AttributeError):
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
