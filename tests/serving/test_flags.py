"""The command line: TF Serving's flags, which combinations cannot be, and the launcher."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import serving
from serving.server import flags

ROOT = "--root=x"


def parsed(*arguments: str) -> dict[str, object]:
    return vars(flags.parse([ROOT, *arguments]))


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as raised:
        flags.parse(arguments)
    assert raised.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_the_defaults_are_those_of_tf_serving() -> None:
    values = parsed()
    assert (values["port"], values["rest_api_port"], values["rest_api_timeout_in_ms"]) == (8500, 0, 30000)
    assert (values["model_name"], values["file_system_poll_wait_seconds"]) == ("default", 1.0)
    assert (values["enable_model_warmup"], values["enable_batching"]) == (True, False)
    assert values["host"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("given_flag", "value"),
    [
        ("--enable_batching", True),
        ("--enable-batching", True),
        ("--enable_batching=true", True),
        ("--enable_batching=1", True),
        ("--enable_batching=False", False),
        ("--enable_batching=0", False),
    ],
)
def test_booleans(given_flag: str, value: bool) -> None:
    assert parsed(given_flag)["enable_batching"] is value
    assert parsed(given_flag, "--port=9")["port"] == 9


def test_a_boolean_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert "true or false, not 'maybe'" in refused(capsys, ROOT, "--enable_batching=maybe")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([ROOT, "--batching_parameters_file=b"], "--batching_parameters_file is set without setting --enable_batching"),
        ([ROOT, "--port=9", "--rest_api_port=9"], "--rest_api_port cannot be same as --port: 9"),
        ([ROOT, "--rest_api_timeout_in_ms=-1"], "--rest_api_timeout_in_ms must not be negative"),
        ([ROOT, "--rest_api_num_threads=0"], "--rest_api_num_threads must be at least 1, not 0"),
        ([ROOT, "--grpc_channel_arguments=a=1,b"], "'b' is not of the form key=value"),
        ([ROOT, "--model_base_path=y"], "exactly one of --root"),
        ([ROOT, "word"], "unrecognized arguments: word"),
        ([ROOT, "--num_load_thread=1"], "unrecognized arguments: --num_load_thread=1"),
    ],
)
def test_what_cannot_be(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in refused(capsys, *arguments)


def test_the_config_file_wins_over_the_base_path() -> None:
    values = vars(flags.parse(["--model_config_file=c", "--model_name=m", "--model_base_path=p"]))
    assert values["model_config_file"] == "c"


def test_flags_without_effect_are_one_warning(capsys: pytest.CaptureFixture[str]) -> None:
    parsed("--num_load_threads=4", "--num-unload-threads=2", "--use_tflite_model")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: ")
    assert all(name in line for name in ("--num_load_threads", "--num_unload_threads", "--use_tflite_model"))


@given(
    st.dictionaries(
        st.from_regex(r"grpc\.[a-z_]{1,10}", fullmatch=True),
        st.integers(-(1 << 31), (1 << 31) - 1) | st.from_regex(r"[a-z:/=.]{1,10}", fullmatch=True),
    )
)
def test_channel_arguments(options: dict[str, int | str]) -> None:
    text = ",".join(f"{key}={value}" for key, value in options.items())
    assert flags.channel_options(text) == list(options.items())


@pytest.fixture(params=["clone", "symlink"])
def launcher(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = Path(serving.__file__).with_name("tensorflow_model_server")
    if request.param == "symlink":
        (tmp_path / "bin").mkdir()
        os.symlink(path, tmp_path / "bin" / path.name)
        return tmp_path / "bin" / path.name
    return path


def test_the_launcher_works_from_anywhere(launcher: Path, tmp_path: Path) -> None:
    (tmp_path / "serving").mkdir()  # as in a root folder
    (tmp_path / "serving" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    shown = subprocess.run(
        [launcher, "--version"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    model_server, library = shown.stdout.splitlines()
    assert model_server.startswith("TensorFlow ModelServer: ")
    assert library.startswith("TensorFlow Library: ")
