"""Whether the exported model can be served: asked of a server in a process of its own, with real raw examples."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import InfraBlessing, Model

TOLERANCE = 1e-4
"""Largest difference of a number between the server's answer and the trainer's: another graph, and batches of another
size."""
SHARES, SHARE_TOLERANCE = "shares", 1e-3
"""The same for the shares of a mask's pixels, of which single ones are equally probable to be of two classes."""
TEXTS = ("translation", "tokens", "source_tokens")
"""Answers that must be the trainer's to the letter. A class may flip where two are equally probable within the
tolerance, and so may candidates after the first; the probabilities and scores tell."""


@component
def ServingValidator(  # noqa: N802 - a component's name
    model: InputArtifact[Model], blessing: OutputArtifact[InfraBlessing], custom_config: Parameter[str]
) -> None:
    """Serves the candidate, asks it what the trainer answered, and blesses it if the answers agree.

    Args:
        model: the candidate, with the examples and answers that the trainer left.
        blessing: gets the property that the Pusher looks for, and a file with what differed.
        custom_config: JSON with the triple.
    """
    from pipelines import entrypoints, files

    features = entrypoints.triple(json.loads(custom_config)).task.features
    with files.reading(model.uri) as candidate:
        raw, expected = entrypoints.read_answers(candidate / entrypoints.ANSWERS_DIR, features)
        problems = validate(candidate / files.SAVED_MODEL, raw, expected)
    with files.writing(blessing.uri) as folder:
        (folder / (files.NOT_BLESSED if problems else "INFRA_BLESSED")).write_text("\n".join(problems))
    blessing.set_int_custom_property("blessed", int(not problems))


def validate(saved_model: Path, raw: dict[str, list[Any]], expected: dict[str, np.ndarray]) -> list[str]:
    """Asks a server of its own for the answers to raw examples, over both protocols.

    Args:
        saved_model: the exported model.
        raw: values of the examples by feature.
        expected: the trainer's answers by name.

    Returns:
        what went wrong, one line each; empty if the model can be served.
    """
    import tempfile

    from serving.client import Client
    from serving.process import ModelServer

    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "candidate"
        base.mkdir()
        (base / "1").symlink_to(saved_model.resolve(), target_is_directory=True)
        try:
            with ModelServer({"candidate": str(base)}) as server:
                answers = {
                    "REST": Client(server.rest_url, "candidate").predict(raw),
                    "gRPC": Client(server.grpc_address, "candidate", grpc=True).predict(raw),
                }
        except Exception as error:
            return [f"the model could not be served: {error}"]
    return [
        f"{protocol}: {problem}" for protocol, answer in answers.items() for problem in differences(answer, expected)
    ]


def differences(answer: dict[str, Any], expected: dict[str, np.ndarray]) -> list[str]:
    """How a server's answer differs from the trainer's, one line for each output that does."""
    problems = [f"{name} is missing" for name in expected if name not in answer]
    for name in expected.keys() & answer.keys():
        got, want = np.asarray(answer[name]), expected[name]
        if got.shape != want.shape:
            problems.append(f"{name} has shape {got.shape}, the trainer's {want.shape}")
        elif want.dtype.kind in "fc":
            worst = float(np.max(np.abs(got - want), initial=0.0))
            if not worst <= (SHARE_TOLERANCE if name == SHARES else TOLERANCE):
                problems.append(f"{name} differs from the trainer's by {worst:.2g}")
        elif name in TEXTS:
            problems += _first_difference(name, got, want)
    return sorted(problems)


def _first_difference(name: str, got: np.ndarray, want: np.ndarray) -> list[str]:
    """The first text of the server's that is another one than the trainer's, which is in base64."""
    for place in np.ndindex(want.shape):
        said = base64.b64decode(want[place]).decode("utf-8", "replace")
        if got[place] != said:
            return [f"{name} is {str(got[place])!r:.80}, the trainer's {said!r:.80}"]
    return []
