"""The server as a process: its ports, its flags, how it starts and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serving import process
from serving.client import Client
from serving.errors import ServingError
from serving.model_config import model_config_text, models_of_root
from serving.process import ModelServer
from serving.server import flags

Wait = Callable[[Callable[[], bool]], None]


def start(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "serving.server", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("flag", ["--port", "--rest_api_port"])
def test_a_port_in_use_is_one_line_and_code_1(saved_models: Path, flag: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {"--port": 0, "--rest_api_port": 0, flag: port}
        server = start(*(f"{name}={value}" for name, value in ports.items()), f"--model_base_path={saved_models}/half")
        _, stderr = server.communicate(timeout=30)
    assert server.returncode == 1
    (line,) = [line for line in stderr.splitlines() if line.startswith("error")]
    assert f"port {port} at 127.0.0.1 is in use" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_stops_when_told(saved_models: Path, tmp_path: Path, number: int) -> None:
    ready = tmp_path / "ready.json"
    paths = ("--model-name", "half", "--model-base-path", str(saved_models / "half"))
    server = start("--port=0", "--rest-api-port=0", "--ready_file", str(ready), *paths)
    assert server.stdout is not None
    line = server.stdout.readline()
    assert line.startswith("ready: half version 2; REST at http://127.0.0.1:")
    ports = json.loads(ready.read_text())
    assert ports["pid"] == server.pid
    assert f":{ports['rest']}," in line
    assert line.endswith(f":{ports['grpc']}\n")
    server.send_signal(number)
    assert server.wait(20) == 0
    assert not ready.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--root=x", "--frobnicate=1"], "unrecognized arguments: --frobnicate=1"),
        (["--root=x", "--port=70000"], "--port must be from 0 to 65535, not 70000"),
        (["--root=x", "--port=a"], "invalid int value: 'a'"),
        ([], "exactly one of --root"),
        (["--root=x", "--model_config_file=y"], "exactly one of --root"),
    ],
)
def test_wrong_flags(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        flags.parse(arguments)
    assert raised.value.code == 2
    assert message in capsys.readouterr().err


def test_a_missing_config_file_is_one_line_and_code_1(tmp_path: Path) -> None:
    server = start(f"--model_config_file={tmp_path}/none")
    _, stderr = server.communicate(timeout=30)
    assert server.returncode == 1
    assert stderr.splitlines()[-1].startswith("error: model config file")


def test_a_bad_config_file_is_one_line_and_code_1(tmp_path: Path) -> None:
    path = tmp_path / "bad.config"
    path.write_text("improperly formatted file!")
    server = start(f"--model_config_file={path}", "--port=0")
    _, stderr = server.communicate(timeout=30)
    assert server.returncode == 1
    (line,) = stderr.splitlines()
    assert line.startswith(f"error: model config file: Invalid protobuf file: '{path}'")


def test_a_killed_server_leaves_nothing_to_repair(saved_models: Path, tmp_path: Path) -> None:
    flags = ("--port=0", f"--ready_file={tmp_path}/ready", f"--grpc_socket_path={tmp_path}/socket")
    for _ in range(2):
        server = start(*flags, "--model_name=half", f"--model_base_path={saved_models}/half")
        assert server.stdout is not None
        assert server.stdout.readline().startswith("ready: half version 2")
        assert json.loads((tmp_path / "ready").read_text())["pid"] == server.pid
        with Client(f"unix:{tmp_path}/socket", "half", grpc=True) as client:
            assert client.predict({"x": [2]})["y"].tolist() == [4.0]
        server.kill()
        server.communicate(timeout=20)


def test_ports_are_refused_until_the_first_look_has_ended(saved_models: Path) -> None:
    """As TF Serving's, which does not listen before its models are loaded; -1 never looks."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    flags = (f"--rest_api_port={port}", "--port=0", "--file_system_poll_wait_seconds=-1")
    server = start(*flags, f"--model_base_path={saved_models}/half")
    for _ in range(20):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        time.sleep(0.05)
    server.terminate()
    stdout, _ = server.communicate(timeout=30)
    assert server.returncode == 0
    assert stdout == ""


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Counts up to x, which takes about a second for 100,000."""
    import tensorflow as tf

    def count(x: tf.Tensor) -> dict[str, tf.Tensor]:
        (y,) = tf.while_loop(lambda y: tf.less(y, x[0]), lambda y: (y + 1.0,), (tf.constant(0.0),))
        return {"y": y[tf.newaxis]}

    module = tf.Module()
    module.count = tf.function(count, input_signature=[tf.TensorSpec([1], tf.float32, name="x")])
    folder = tmp_path_factory.mktemp("slow")
    tf.saved_model.save(module, str(folder / "1"), signatures=module.count)
    return folder


@pytest.mark.parametrize("grpc", [False, True])
def test_what_is_under_way_is_answered_before_it_ends(slow_model: Path, grpc: bool) -> None:
    with ModelServer({"slow": slow_model}, embedded=True) as server:
        process = server.process
        assert process is not None
        with Client(server.grpc_address if grpc else server.rest_url, "slow", grpc=grpc) as client:
            assert client.predict({"x": [1.0]})["y"][0] == 1.0
            with ThreadPoolExecutor(1) as pool:
                asked = pool.submit(client.predict, {"x": [100_000.0]})
                time.sleep(0.2)
                process.terminate()
                assert asked.result(30)["y"][0] == 100_000.0
        assert process.wait(30) == 0


def test_the_server_does_not_import_tensorflow(saved_models: Path) -> None:
    program = textwrap.dedent(
        f"""
        import sys
        import numpy as np
        import serving.server.app
        from serving.server.servable import Servable
        answer = Servable({str(saved_models / "half" / "1")!r}).run("", {{"x": np.ones(1, np.float32)}})
        assert answer["y"].tolist() == [2.5], answer
        assert "tensorflow" not in sys.modules and "keras" not in sys.modules
        import tensorflow as tf  # and can be imported afterwards
        assert tf.add(1, 2).numpy() == 3
        """
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_a_model_that_does_not_load_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad" / "1").mkdir(parents=True)
    (tmp_path / "bad" / "1" / "saved_model.pb").write_bytes(b"this is no graph")
    with (
        pytest.raises(ServingError, match="model 'bad' version 1 does not load"),
        ModelServer({"bad": tmp_path / "bad"}),
    ):
        pass


def test_no_model_in_time(tmp_path: Path) -> None:
    missing = ModelServer({"none": tmp_path}, embedded=True, timeout=2)
    with pytest.raises(ServingError, match="not ready after 2 s: model 'none'"), missing:
        pass


def test_the_server_ends_with_its_parent(saved_models: Path, wait_until: Wait) -> None:
    program = textwrap.dedent(
        f"""
        import time
        from serving.process import ModelServer
        with ModelServer({{"half": {str(saved_models / "half")!r}}}, embedded=True) as server:
            print(server.process.pid, flush=True)
            time.sleep(60)
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    wait_until(lambda: _is_gone(child))


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_serve_forever_over_a_root(saved_models: Path, tmp_path: Path, wait_until: Wait) -> None:
    (tmp_path / "serving").mkdir()
    os.symlink(saved_models / "half", tmp_path / "serving" / "half")
    assert models_of_root(tmp_path) == {"half": str(tmp_path / "serving" / "half")}
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        rest, grpc = one.getsockname()[1], other.getsockname()[1]
    program = (
        "import sys; from serving.process import serve_forever; "
        f"sys.exit(serve_forever(root={str(tmp_path)!r}, rest_port={rest}, grpc_port={grpc}, embedded=True))"
    )
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert "ready: half version 2" in server.stdout.readline()
    with Client(f"http://127.0.0.1:{rest}", "half") as client:
        assert client.predict({"x": [2]})["y"].tolist() == [4.0]  # type: ignore[union-attr]
    server.terminate()
    assert server.wait(20) == 0


def test_the_real_server_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for tensorflow_model_server that notes its flags and its config, and serves through ours."""
    noted = tmp_path / "noted"
    stand_in = tmp_path / "tensorflow_model_server"
    stand_in.write_text(
        f'#!/bin/sh\necho "$@" > {noted}\nexec {sys.executable} -m serving.server "$@"\n', encoding="utf-8"
    )
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert process.real_server() == str(stand_in)
    server = ModelServer({"none": tmp_path / "base"}, timeout=3)
    assert not server.embedded
    with pytest.raises(ServingError, match="model 'none'"), server:
        pass
    wanted = ("--port=", "--rest_api_port=", "--model_config_file=", "--file_system_poll_wait_seconds=1")
    assert all(flag in noted.read_text() for flag in wanted)
    assert "--parent_pid" not in noted.read_text()


def test_model_config_text() -> None:
    text = model_config_text({'a "b"': "/x"})
    assert 'name: "a \\"b\\"" base_path: "/x" model_platform: "tensorflow"' in text


def test_start_up_time(saved_models: Path) -> None:
    start_time = time.monotonic()
    with ModelServer({"half": saved_models / "half"}, embedded=True):
        assert time.monotonic() - start_time < 15  # about 0.7 s on a quiet machine
