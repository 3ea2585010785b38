"""`ann serve`: what it passes on to the server, its own or the real one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipelines.cli import cli
from serving import process


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "serving" / "m" / "1").mkdir(parents=True)
    for name in ("batching", "monitoring", "ssl"):
        (tmp_path / f"{name}.config").touch()
    return tmp_path


def passed_on(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def serve_forever(*args: Any, **kwargs: Any) -> int:
        calls.append((args, kwargs))
        return 0

    monkeypatch.setattr(process, "serve_forever", serve_forever)
    result = CliRunner().invoke(cli, ["serve", "--port=0", "--rest-api-port=0", *arguments])
    assert result.exit_code == 0, result.output
    (call,) = calls
    return call


def test_nothing_is_passed_on_unasked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args, kwargs = passed_on(monkeypatch, f"--root={root}")
    assert args == (str(root), None, 0, 0)
    assert kwargs == {"config_poll_seconds": 2, "host": None, "flags": []}


def test_what_is_asked_for_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args, kwargs = passed_on(
        monkeypatch,
        f"--model-config-file={root}/ssl.config",
        "--model-config-file-poll-wait-seconds=7",
        "--host=0.0.0.0",
        f"--batching-parameters-file={root}/batching.config",
        f"--monitoring-config-file={root}/monitoring.config",
        "--enable-grpc-healthcheck-service",
    )
    assert args == (None, f"{root}/ssl.config", 0, 0)
    assert (kwargs["config_poll_seconds"], kwargs["host"]) == (7, "0.0.0.0")
    assert sorted(kwargs["flags"]) == [
        f"--batching_parameters_file={root}/batching.config",
        "--enable_batching=true",
        "--enable_grpc_healthcheck_service=true",
        f"--monitoring_config_file={root}/monitoring.config",
    ]


@pytest.fixture
def real_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for tensorflow_model_server that notes its flags and waits."""
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "tensorflow_model_server"
    noted = f"{tmp_path}/noted"
    stand_in.write_text(f'#!/bin/sh\necho "$@" > {noted}.new\nmv {noted}.new {noted}\nexec sleep 60\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    return tmp_path / "noted"


def test_the_real_server_gets_its_own_flags(root: Path, real_server: Path) -> None:
    program = "import sys; from pipelines.cli import main; main(sys.argv[1:])"
    arguments = ("serve", f"--root={root}", "--port=0", "--rest-api-port=0", "--enable-batching")
    running = subprocess.Popen([sys.executable, "-c", program, *arguments])
    while not real_server.exists():
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 0
    noted = real_server.read_text()
    assert "--enable_batching=true" in noted
    assert "--model_config_file_poll_wait_seconds=2" in noted
    assert "--host" not in noted


def test_the_real_server_cannot_bind_one_address(root: Path, real_server: Path) -> None:
    result = CliRunner().invoke(cli, ["serve", f"--root={root}", "--port=0", "--rest-api-port=0", "--host=127.0.0.1"])
    assert result.exit_code == 2
    assert "tensorflow_model_server listens at every address" in result.output
