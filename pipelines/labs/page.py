"""The page of a lab, which refers to nothing outside of itself, and the index of those that were run."""

from __future__ import annotations

import base64
import fcntl
import io
import json
import math
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from ann_keras import registry
from pipelines.report import blocks
from serving.deploy.output import Output

FIGURE, PAGE, RESULT, INDEX = "figure.png", "page.html", "result.json", "index.html"

EQUATION_POINTS = 17
"""Size of an equation's letters."""
EQUATION_INK = "#010203"
"""Matplotlib draws an equation with it, the page replaces it by the colour of its text."""


@dataclass(frozen=True)
class Record:
    """A run of a lab, without its figure.

    Attributes:
        name: a key of `registry.LABS`.
        claim, equation, source: of its module: CLAIM, EQUATION and the docstring.
        held, checks, numbers, seen: of its `Result`; setting: the same, as text.
        seed: that it ran with; seconds: that it took, without the start of Python.
        when: local time; command: runs it again.
    """

    name: str
    claim: str
    equation: str
    source: str
    held: bool
    checks: Mapping[str, bool]
    numbers: Mapping[str, float]
    setting: Mapping[str, str]
    seen: str
    seed: int
    seconds: float
    when: str
    command: str

    @property
    def document(self) -> dict[str, Any]:
        """For JSON, which knows no number that is not finite: null stands for it."""
        finite = {name: value if math.isfinite(value) else None for name, value in self.numbers.items()}
        return {**asdict(self), "numbers": finite}

    @property
    def figures(self) -> dict[str, float]:
        """The numbers, whole ones as such, so that a count reads as one."""
        return {name: int(value) if value.is_integer() else value for name, value in self.numbers.items()}

    @property
    def title(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ").capitalize()


def write(record: Record, picture: bytes, folder: Path) -> Path:
    """Writes figure, page and result, each whole or not at all.

    Args:
        record: what came of the experiment.
        picture: its figure, a PNG.
        folder: where they go; it is there.

    Returns:
        The page's path.
    """
    output = Output(folder)
    with tempfile.TemporaryDirectory() as temporary:
        fresh = Path(temporary, FIGURE)
        fresh.write_bytes(picture)
        output.copy(fresh, FIGURE)
    output.write(PAGE, render(record, picture))
    output.write(RESULT, json.dumps(record.document, indent=1) + "\n")
    return folder / PAGE


def render(record: Record, picture: bytes) -> str:
    """Returns the page of a run."""
    checks = [(text, blocks.badge(held, "held", "did not hold")) for text, held in record.checks.items()]
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            record=record,
            style=_style(),
            equation=equation_svg(record.equation),
            figure=f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}",
            checks=blocks.table(["check", "outcome"], checks),
            numbers=blocks.table(["measured", "value"], list(record.figures.items())),
            setting=blocks.table(["setting", "value"], list(record.setting.items())),
            source=paragraphs(record.source),
        )
    )


def write_index(root: Path) -> Path:
    """Writes the page that lists the runs whose folders lie in `root`, and returns its path."""
    handle = os.open(root, os.O_RDONLY)
    try:
        # Of two labs that end together, the later one to write must be the later one to read.
        fcntl.flock(handle, fcntl.LOCK_EX)
        records = {name: record for name in registry.LABS if (record := _read(root / name / RESULT)) is not None}
        missing = [name for name in registry.LABS if name not in records]
        page = _environment().get_template("index.html.jinja")
        Output(root).write(INDEX, page.render(records=list(records.values()), missing=missing, style=_style()))
    finally:
        os.close(handle)
    return root / INDEX


def _read(path: Path) -> Record | None:
    """A run that was kept; None where there is none, or only what another version or a person wrote."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Record(**found)
    except (OSError, ValueError, TypeError):
        return None


def equation_svg(equation: str) -> Markup:
    """Draws an equation in the colour of the page's text.

    Args:
        equation: matplotlib's mathtext, without the dollar signs.

    Raises:
        ValueError: where mathtext cannot read it.
    """
    import matplotlib
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import math_to_image

    buffer = io.StringIO()
    style = {"svg.fonttype": "path", "svg.hashsalt": equation, "mathtext.fontset": "cm", "savefig.transparent": True}
    with matplotlib.rc_context(style):
        letters = FontProperties(size=EQUATION_POINTS)
        math_to_image(f"${equation}$", buffer, letters, format="svg", color=EQUATION_INK)
    text = buffer.getvalue()
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    label = Markup('<svg class="equation" role="img" aria-label="{}"').format(equation)
    return Markup(text.replace(EQUATION_INK, "currentColor").replace("<svg", label, 1))


def paragraphs(docstring: str) -> Markup:
    """A docstring as paragraphs, what stands between backticks as code."""
    made = []
    for text in re.split(r"\n\s*\n", docstring.strip()):
        words = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(" ".join(text.split()))))
        made.append(f"<p>{words}</p>")
    return Markup("\n".join(made))


def _environment() -> Environment:
    """The report's environment, with the templates beside this file in place of its own."""
    return blocks.environment().overlay(loader=FileSystemLoader(Path(__file__).parent))


def _style() -> Markup:
    files = (Path(blocks.__file__).with_name("style.css"), Path(__file__).with_name("labs.css"))
    return Markup("\n".join(file.read_text(encoding="utf-8") for file in files))
