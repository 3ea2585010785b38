"""A model server as a process of its own: the real `tensorflow_model_server` where it is on PATH, else ours."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from serving.errors import Code, ServingError
from serving.model_config import model_config_text, models_of_root

REAL_SERVER = "tensorflow_model_server"
_LOG_TAIL_LINES = 30
_STOP_SECONDS = 15.0
_DIE_WITH_PARENT = [  # PR_SET_PDEATHSIG, SIGTERM: outlasts the exec
    sys.executable,
    "-c",
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])",
]


def real_server() -> str | None:
    """Returns the path of TF Serving's own binary, None where it is not installed."""
    return shutil.which(REAL_SERVER)


def _command(embedded: bool) -> list[str]:
    """Returns how a server is started so that it ends when this process does, however that ends."""
    if embedded:
        return [sys.executable, "-m", "serving.server", f"--parent_pid={os.getpid()}"]
    return [*_DIE_WITH_PARENT, str(real_server())] if sys.platform == "linux" else [str(real_server())]


def _environment() -> dict[str, str]:
    """Returns this process's environment with this copy of the package first on the path."""
    source = str(Path(__file__).resolve().parent.parent)
    paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _free_ports(count: int) -> list[int]:
    """Returns ports that are free now; the real server cannot say which one it picked."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class ModelServer:
    """Serves models on free ports of this machine for as long as the context lasts.

        with ModelServer({"candidate": base_path}) as server:
            Client(server.rest_url, "candidate").predict(...)

    Args:
        models: base paths (folders of version directories) by model name.
        embedded: True for the embedded server, False for the real one, None for the real one where it is installed.
        timeout: seconds until every model must be available.
        poll_seconds: time between two looks for new versions.
        flags: more of the server's command line, such as "--enable_batching".

    Attributes:
        rest_url: "http://127.0.0.1:port".
        grpc_address: "127.0.0.1:port".
        process: the server.
    """

    def __init__(
        self,
        models: Mapping[str, str | os.PathLike[str]],
        embedded: bool | None = None,
        timeout: float = 120.0,
        poll_seconds: float = 1.0,
        flags: Sequence[str] = (),
    ) -> None:
        if not models:
            raise ValueError("there is no model to serve")
        if embedded is False and real_server() is None:
            raise FileNotFoundError(f"{REAL_SERVER} is not on PATH")
        self.models = dict(models)
        self.embedded = real_server() is None if embedded is None else embedded
        self._timeout, self._poll_seconds, self._flags = timeout, poll_seconds, list(flags)
        self.rest_url = self.grpc_address = ""
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ModelServer:
        self._folder = tempfile.TemporaryDirectory(prefix="model-server-")
        try:
            self._start()
            self._wait_until_available()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.close()

    def _path(self, name: str) -> str:
        return os.path.join(self._folder.name, name)

    def _start(self) -> None:
        Path(self._path("models.config")).write_text(model_config_text(self.models), encoding="utf-8")
        rest, grpc = (0, 0) if self.embedded else _free_ports(2)
        command = [*_command(self.embedded), f"--port={grpc}", f"--rest_api_port={rest}"]
        command.append(f"--model_config_file={self._path('models.config')}")
        if self.embedded:
            command += [f"--ready_file={self._path('ready')}", f"--file_system_poll_wait_seconds={self._poll_seconds}"]
        else:
            command.append(f"--file_system_poll_wait_seconds={max(1, round(self._poll_seconds))}")
            self._set_ports(rest, grpc)
        command += self._flags
        with open(self._path("log"), "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=_environment()
            )

    def _set_ports(self, rest: int, grpc: int) -> None:
        self.rest_url, self.grpc_address = f"http://127.0.0.1:{rest}", f"127.0.0.1:{grpc}"

    def _wait_until_available(self) -> None:
        from serving.client import Client

        deadline = time.monotonic() + self._timeout
        while not self.rest_url:
            self._check(deadline, "it does not answer")
            if os.path.exists(self._path("ready")):
                ready = json.loads(Path(self._path("ready")).read_text(encoding="utf-8"))
                self._set_ports(ready["rest"], ready["grpc"])
            else:
                time.sleep(0.01)
        for name in self.models:
            with Client(self.rest_url, name, timeout=1.0) as client:
                while not self._is_available(client, name, deadline):
                    time.sleep(0.05)

    def _is_available(self, client: Any, name: str, deadline: float) -> bool:
        try:
            statuses = client.status()
        except ServingError as error:
            self._check(deadline, f"model {name!r}: {error}")
            return False
        failed = next((status for status in statuses if status["error_code"] != "OK"), None)
        if any(status["state"] == "AVAILABLE" for status in statuses):
            return True
        if failed and not any(status["state"] in ("START", "LOADING") for status in statuses):
            reason = f"{failed['error_code']}: {failed['error_message']}"
            raise self._failure(f"model {name!r} version {failed['version']} does not load: {reason}")
        self._check(deadline, f"model {name!r} is not available: {statuses}")
        return False

    def _check(self, deadline: float, problem: str) -> None:
        code = self.process.poll() if self.process else None
        if code is not None:
            raise self._failure(f"the model server ended with code {code}")
        if time.monotonic() > deadline:
            raise self._failure(f"the model server is not ready after {self._timeout:g} s: {problem}")

    def _failure(self, problem: str) -> ServingError:
        return ServingError(Code.UNAVAILABLE, f"{problem}\n{self.log_tail()}".rstrip())

    def log_tail(self) -> str:
        """Returns the last lines that the server wrote."""
        with contextlib.suppress(OSError):
            text = Path(self._path("log")).read_text(encoding="utf-8", errors="replace")
            return "\n".join(text.splitlines()[-_LOG_TAIL_LINES:])
        return ""

    def close(self) -> None:
        """Stops the server, by force where it does not stop by itself."""
        process, self.process = self.process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._folder.cleanup()


def serve_forever(
    root: str | os.PathLike[str] | None = None,
    model_config_file: str | os.PathLike[str] | None = None,
    rest_port: int = 8501,
    grpc_port: int = 8500,
    embedded: bool | None = None,
    config_poll_seconds: int = 2,
    host: str | None = None,
    flags: Sequence[str] = (),
) -> int:
    """Serves until SIGTERM or SIGINT, with the real server where it is installed.

    Args:
        root: serve every model of ROOT/serving, those that appear later too.
        model_config_file: serve the models of this file instead.
        rest_port: the REST port.
        grpc_port: the gRPC port.
        embedded: as for `ModelServer`.
        config_poll_seconds: time between two looks at the root or the config file; 0 looks once.
        host: the address to listen at; None for the loopback, and for all with the real server, which knows no other.
        flags: more of TF Serving's command line, such as "--enable_batching".

    Returns:
        The exit code: 0 when it was told to stop, 1 where it could not serve.

    Raises:
        ValueError: where the arguments contradict each other.
    """
    if (root is None) == (model_config_file is None):
        raise ValueError("give either root or model_config_file")
    common = [f"--port={grpc_port}", f"--rest_api_port={rest_port}", *flags]
    poll = f"--model_config_file_poll_wait_seconds={config_poll_seconds}"
    if real_server() is None if embedded is None else embedded:
        from serving.server.__main__ import main

        what = [f"--root={root}"] if root is not None else [f"--model_config_file={model_config_file}", poll]
        return main([*common, *what, *([f"--host={host}"] if host else [])])
    if host:
        raise ValueError(f"{REAL_SERVER} listens at every address; it cannot listen at {host} alone")
    with tempfile.TemporaryDirectory(prefix="model-server-") as folder:
        config = Path(folder, "models.config") if root is not None else Path(str(model_config_file))
        return _run_real([*_command(False), *common, f"--model_config_file={config}", poll], config, root)


def _run_real(command: Sequence[str], config: Path, root: str | os.PathLike[str] | None) -> int:
    """Runs the real server, whose config file follows the root, until it is told to stop. Returns the exit code."""
    written = _write_config(config, root, "")
    process = subprocess.Popen(command, env=_environment())
    told_to_stop = _pass_signals_on(process)
    while True:
        try:
            code = process.wait(1.0)
            return 0 if told_to_stop else int(code != 0)
        except subprocess.TimeoutExpired:
            written = _write_config(config, root, written)


def _write_config(config: Path, root: str | os.PathLike[str] | None, written: str) -> str:
    """Writes the models under a root if they are no longer those `written`. The server rereads the file."""
    text = model_config_text(models_of_root(root)) if root is not None else written
    if text != written:
        fresh = config.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(config)
    return text


def _pass_signals_on(process: subprocess.Popen[bytes]) -> list[int]:
    """Makes SIGTERM and SIGINT end the process. Returns a list to which each of them is added."""
    received: list[int] = []

    def stop(number: int, frame: Any) -> None:
        received.append(number)
        process.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return received
