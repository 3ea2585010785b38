"""`ann predict MODEL --input PATH --output FILE`: the run from the checked arguments to the joined output."""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click

from pipelines import console
from pipelines.exits import UsageError, essence
from pipelines.runners import beam

if TYPE_CHECKING:
    from pipelines.bulk.checks import Request
    from pipelines.bulk.parts import Part

NAMED = 3
"""So many of the inputs that have no answer stand in the error."""
SELDOM_SECONDS = 30
"""Between two counts where no live line shows them."""


class Counts:
    """A listener that shows counts in the live line of `lines`, and seldom where there is none."""

    def __init__(self, lines: console.Lines) -> None:
        self._lines, self._last = lines, time.monotonic()

    def detail(self, text: str) -> None:
        """Shows a count."""
        now = time.monotonic()
        if self._lines.console.is_terminal or now - self._last >= SELDOM_SECONDS:
            self._last = now
            self._lines.detail(text)


def predict(
    model: str, root: str, version: int | None, given: str, input_format: str | None, output: str, **options: Any
) -> int:
    """`ann predict --input`; the output is there, and whole, also where some inputs have no answer.

    Args:
        model, root, version: which pushed version answers; None for the newest.
        given, input_format, output: as `ann predict` takes --input, --input-format and --output.
        options: batch_size, max_bad_fraction, beam_args and as_json.

    Raises:
        click.ClickException: for what goes wrong, and for more inputs without an answer than are allowed.
    """
    started = time.monotonic()
    with console.noise_to(None) as (out, err):
        lines = console.Lines(err if options["as_json"] else out)
        beam_options = _beam_options(options["beam_args"])
        request = _request(model, root, version, given, input_format, output)
        for note in request.source.notes():
            lines.say(note)
        try:
            found = _answer(request, options["batch_size"], beam_options, lines)
        except Exception as error:
            if os.environ.get("ANN_TRACEBACK"):
                raise
            if essence(error) == "KeyboardInterrupt":
                # A worker of this process makes text of whatever is raised in it.
                raise KeyboardInterrupt from error
            raise click.ClickException(essence(error)) from error
        document = {
            "model": model,
            "version": request.pushed.version,
            "input": given,
            "output": output,
            "predicted": sum(part.predicted for part in found),
            "failed": sum(part.failed for part in found),
            "seconds": round(time.monotonic() - started, 3),
        }
        _tell(document, options["as_json"], lines, out)
    _check_failed(document, found, options["max_bad_fraction"])
    return 0


def _request(*arguments: Any) -> Request:
    """The checked arguments; a store or a folder that cannot be reached is a wrong one too."""
    from pipelines.bulk import checks

    try:
        return checks.check(*arguments)
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from error


def _answer(request: Request, batch_size: int, options: Any, lines: console.Lines) -> list[Part]:
    """Runs the pipeline and joins its parts, all in a folder beside the output that is removed in any case."""
    from pipelines import progress
    from pipelines.bulk import parts, pipeline, storage
    from pipelines.bulk.handler import SavedModelHandler
    from pipelines.bulk.pushed import FEATURES

    pushed, source = request.pushed, request.source
    features = source.features if source.signature == FEATURES else ()
    handler = SavedModelHandler(pushed.path, source.signature, features, batch_size)
    temporary = f"{request.output}.partial"
    storage.remove(temporary)  # of a run that was killed
    try:
        works = list(source.works(temporary))
        with progress.listening(Counts(lines)), lines.component("predict"):
            found = pipeline.run(works, source, handler, request.form, temporary, options) if works else []
        joined = storage.join(temporary, "joined")
        parts.join(found, request.form, joined)
        storage.replace(joined, request.output)
    finally:
        storage.remove(temporary)
    return found


def _beam_options(given: Sequence[str]) -> Any:
    """Beam's options; a UsageError for a runner that there is not, or a value that an option does not take."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.runners import create_runner

    try:
        options = PipelineOptions(beam.beam_args(given))
        with contextlib.redirect_stderr(io.StringIO()) as said:
            options.get_all_options()
        create_runner(options.view_as(StandardOptions).runner)
    except SystemExit as error:
        # Beam's parser ends the process after it has said on standard error how it is called, and what is wrong.
        raise UsageError(f"--beam-arg: {said.getvalue().rpartition('error: ')[2]}") from error
    except ValueError as error:
        raise UsageError(f"--beam-arg: {error}") from error
    FileSystems.set_options(options)  # which may say how a store is reached
    return options


def _tell(document: Mapping[str, Any], as_json: bool, lines: console.Lines, out: TextIO) -> None:
    if as_json:
        out.write(json.dumps(document) + "\n")
        return
    said = "{model} {version}: {predicted:,} answers and {failed:,} errors in {output}, {seconds:.1f} s"
    lines.say(said.format(**document), "bold")


def _check_failed(document: Mapping[str, Any], found: Sequence[Part], max_bad_fraction: float) -> None:
    """Raises where more inputs have no answer than are allowed, and names the first of them."""
    failed = document["failed"]
    total = failed + document["predicted"]
    if failed <= max_bad_fraction * total:
        return
    problems = [problem for part in found for problem in part.problems][:NAMED]
    named = "; ".join(f"{key}: {reason}" for key, reason in problems)
    more = f"; and {failed - len(problems)} more" if failed > len(problems) else ""
    raise click.ClickException(
        f"{failed} of {total} inputs have no answer, more than --max-bad-fraction={max_bad_fraction:g} allows: "
        f"{named}{more}; {document['output']} has the error of each"
    )
