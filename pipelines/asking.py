"""What `ann serve` and `ann predict` do: neither needs TensorFlow in this process."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from pipelines import mask_files
from pipelines.exits import UsageError

REST_PORT, GRPC_PORT = 8501, 8500
FIRST_LOOK_SECONDS, REACH_SECONDS = 2.0, 5.0
"""How long a server of this machine, and one that the user names, may take to say that it serves a model."""


def serve(
    root: str,
    model_config_file: str | None,
    rest_api_port: int,
    port: int,
    host: str | None,
    model_config_file_poll_wait_seconds: int,
    **flags: str | bool | None,
) -> int:
    """`ann serve`; the `flags` are TF Serving's, by name, and those that are not set are left to the server."""
    from serving import process

    if flags["batching_parameters_file"]:
        flags["enable_batching"] = True
    if model_config_file is None and not process.models_of_root(root):
        raise click.ClickException(f"no pushed model under {root}; `ann run MODEL --root {root}` pushes one")
    for number, option in ((rest_api_port, "--rest-api-port"), (port, "--port")):
        _check_free(number, option)
    # Else TensorFlow begins with what it thinks of the graphics card.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        return process.serve_forever(
            None if model_config_file else root,
            model_config_file,
            rest_api_port,
            port,
            config_poll_seconds=model_config_file_poll_wait_seconds,
            host=host,
            flags=[
                f"--{name}={str(value).lower() if value is True else value}" for name, value in flags.items() if value
            ],
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _check_free(port: int, option: str) -> None:
    """Raises where another process listens on the port, before models are loaded. Port 0 is any free one."""
    with socket.socket() as probe:
        # Connections that a server just closed do not count, as they do not for servers.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise click.ClickException(f"port {port}: {error.strerror}; {option} picks another") from error


def predict(
    model: str, inputs: Sequence[str], url: str | None, grpc: bool, root: str, as_json: bool, out: str | None = None
) -> int:
    """`ann predict`; `out` is the folder that gets masks as pictures."""
    from serving.errors import ServingError

    try:
        description = _description(model, root)
        features = _features(model, description)
        # What is wrong with INPUT is said before a server is asked, if it is known what the model reads.
        request = None if features is None else _request(features, inputs)
        if out is not None:
            mask_files.check(model, description, inputs, out)
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from error
    try:
        with _client(model, url, grpc, root) as client:
            request = request or _request(_served(model, client), inputs)
            columns = _answers(client, request)
    except ServingError as error:
        raise click.ClickException(str(error)) from error
    _tell(model, description, request.names, columns, as_json)
    if out is not None:
        written = mask_files.write(model, description, request.names, columns, out)
        click.echo(
            f"{len(written)} {'mask' if len(written) == 1 else 'masks'} in {out}: {', '.join(written)}", err=as_json
        )
    return 0


def _request(features: Sequence[Any], inputs: Sequence[str]) -> Any:
    from pipelines import rows

    try:
        return rows.request(features, inputs)
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from error


def _answers(client: Any, request: Any) -> dict[str, Any]:
    """The outputs by name, asked for in parts where the request says so; each part's sequences are as long as its
    longest.
    """
    count, at_once = len(request.names), request.at_once or len(request.names)
    if count <= at_once:
        found: dict[str, Any] = client.predict(request.inputs)
        return found
    joined: dict[str, list[Any]] = {}
    for start in range(0, count, at_once):
        part = {name: values[start : start + at_once] for name, values in request.inputs.items()}
        for name, column in client.predict(part).items():
            joined.setdefault(name, []).extend(column)
    return joined


def _tell(
    model: str, description: dict[str, Any], names: Sequence[str], columns: dict[str, Any], as_json: bool
) -> None:
    """Prints the answers."""
    if as_json:
        from serving.decoding import trimmed

        rows = [trimmed({name: values[row] for name, values in columns.items()}) for row in range(len(names))]
        click.echo(json.dumps(rows, default=_plain))
        return
    for name, answer in zip(names, mask_files.decoded(model, description, columns), strict=True):
        click.echo(f"{name}: {json.dumps(answer, default=_plain) if isinstance(answer, dict) else answer}")


def _plain(value: Any) -> Any:
    """What stands in JSON for an array, and for bytes as in TF Serving's answers."""
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value.tolist()


def _description(model: str, root: str) -> dict[str, Any]:
    """What stands beside the newest version that was pushed under the root; empty where there is none."""
    from serving.model_config import DESCRIPTION

    described = Path(root).glob(f"serving/{model}/*/{DESCRIPTION}")
    newest = max(described, key=lambda path: int(path.parts[-3]) if path.parts[-3].isdigit() else -1, default=None)
    return json.loads(newest.read_text(encoding="utf-8")) if newest else {}


def _features(model: str, description: dict[str, Any]) -> Sequence[Any] | None:
    """The features that the model's requests hold: as it was pushed, else as its task has them; None where that is for
    the server to say.
    """
    from ann_keras import registry
    from ann_keras.task import Feature
    from serving.columns import features_of

    if description:
        return features_of(description)
    if model not in registry.MODELS:
        raise UsageError(f"unknown model {model!r}; the models are {', '.join(registry.MODELS)}")
    (task, *others) = registry.constants(registry.MODELS[model])["TASKS"]
    *read, _ = _roles(task).items()  # the last one is what is asked for
    features = [Feature(role, kind) for role, kind in read]
    return None if others or not features else features


def _roles(task: str) -> dict[str, str]:
    from ann_keras import registry

    found: dict[str, str] = registry.constants(registry.TASKS[task])["ROLES"]
    return found


def _served(model: str, client: Any) -> list[Any]:
    """The features as the server's signature has them, which does not say what may be missing."""
    from ann_keras import registry
    from ann_keras.task import WIRE, Feature
    from serving import tensors
    from serving.async_client import DEFAULT_SIGNATURE

    roles: dict[str, str] = {}
    for task in registry.constants(registry.MODELS[model])["TASKS"]:
        roles |= _roles(task)
    signatures = client.metadata().signatures
    if DEFAULT_SIGNATURE not in signatures:
        raise click.ClickException(f"{model} has no signature {DEFAULT_SIGNATURE}; it has {', '.join(signatures)}")
    features = []
    for name, info in signatures[DEFAULT_SIGNATURE].inputs.items():
        is_text, shape = info.data_type == tensors.STRING, tuple(info.shape or ())[1:]
        kind = "text" if is_text else "tensor" if shape else "number"
        role = roles.get(name, kind)
        features.append(Feature(name, role if (WIRE[role][0] == "string") == is_text else kind, shape))
    return features


@contextlib.contextmanager
def _client(model: str, url: str | None, grpc: bool, root: str) -> Iterator[Any]:
    """A client of the server that the user names, of this machine's, or of one that lives for this call."""
    from serving.client import Client
    from serving.errors import ServingError
    from serving.process import ModelServer

    if url is not None:
        # A client asks again and again for as long as an answer may take, which is long where nobody is there.
        with Client(url, model, grpc=grpc, timeout=REACH_SECONDS) as client:
            client.status()
        with Client(url, model, grpc=grpc) as client:
            yield client
        return
    local = f"127.0.0.1:{GRPC_PORT}" if grpc else f"http://127.0.0.1:{REST_PORT}"
    base = Path(root) / "serving" / model
    if _listens(GRPC_PORT if grpc else REST_PORT):
        found = False
        with contextlib.suppress(ServingError, OSError), Client(local, model, grpc, FIRST_LOOK_SECONDS) as client:
            found = any(version["state"] == "AVAILABLE" for version in client.status())
        if found:
            with Client(local, model, grpc=grpc) as client:
                yield client
            return
    if not base.is_dir() or not any(name.isdigit() for name in os.listdir(base)):
        raise click.ClickException(
            f"no server at {local} serves {model}, and {base} holds no pushed version; "
            f"`ann run {model} --root {root}` pushes one"
        )
    with ModelServer({model: base}) as server:
        client = Client(server.grpc_address if grpc else server.rest_url, model, grpc=grpc)
        with client:
            yield client


def _listens(port: int) -> bool:
    """Whether somebody on this machine does."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
