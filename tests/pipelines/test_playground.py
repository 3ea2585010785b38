"""`ann playground`: its address, its end, and one line for what goes wrong."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request

import pytest

from tests.serving.playground.conftest import models, rest_url  # noqa: F401


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_the_page_and_the_pushed_models_until_told_to_stop(ann, models, tmp_path, number):  # noqa: F811
    (tmp_path / "serving").mkdir()
    for name, base in models.items():
        (tmp_path / "serving" / name).symlink_to(base)
    process = ann.start("playground", "--root", tmp_path, "--port", 0, "--no-browser")
    try:
        line = process.stdout.readline()
        assert line.startswith("playground: http://127.0.0.1:")
        with urllib.request.urlopen(line.split()[1] + "/api/models", timeout=60) as answer:
            served = json.load(answer)["models"]
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert [(one["name"], one["version"]) for one in served] == [("half", "1"), ("mlp", "1")]
    assert (process.returncode, out, err) == (0, "", "")
    with (
        pytest.raises(OSError),
        socket.create_connection(("127.0.0.1", int(served[0]["url"].split(":")[2].split("/")[0]))),
    ):
        pass


def test_a_server_that_runs_already(ann, rest_url, tmp_path):  # noqa: F811
    process = ann.start("playground", "half", "--root", tmp_path, "--port", 0, "--no-browser", "--url", rest_url)
    try:
        address = process.stdout.readline().split()[1]
        body = json.dumps({"instances": [{"x": 1.0}]}).encode()
        request = urllib.request.Request(
            f"{address}/api/models/half/predict", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer) == {"predictions": [2.5]}
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_what_goes_wrong_is_one_line(ann, tmp_path):
    answer = ann("playground", "--root", tmp_path)
    expected = f"ann: no pushed model under {tmp_path}; `ann run MODEL --root {tmp_path}` pushes one\n"
    assert (answer.code, answer.out, answer.err) == (1, "", expected)
    answer = ann("playground", "lenet5", "--root", tmp_path)
    expected = f"ann: no pushed model lenet5 under {tmp_path}; `ann run lenet5 --root {tmp_path}` pushes one\n"
    assert (answer.code, answer.out, answer.err) == (1, "", expected)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = ann("playground", "half", "--root", tmp_path, "--port", port, "--url", "http://127.0.0.1:1")
    expected = f"ann: 127.0.0.1, port {port}: Address already in use; --port and --host pick others\n"
    assert (answer.code, answer.out, answer.err) == (1, "", expected)
    answer = ann("playground", "half", "--root", tmp_path, "--port", 0, "--url", "here")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
