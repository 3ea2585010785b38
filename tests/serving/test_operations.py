"""Operations of TensorFlow Text: found in a SavedModel, and registered for it alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from serving.errors import ServingError
from serving.process import ModelServer
from serving.server import operations
from tests import translations
from tests.serving.peers import WAYS, opened

OWN = {"FastWordpieceTokenizeWithOffsets", "NormalizeUTF8"}
LOADS = """
import sys, tensorflow
from serving import loading
assert "tensorflow_text" not in sys.modules
for path in sys.argv[1:]:
    try:
        answer = loading.load(path).signatures["serving_default"](source=tensorflow.constant(["a man"]))
        print(answer["translation"].numpy().tolist())
    except ValueError as error:
        print(error)
"""
LIBRARIES = "print(open('/proc/self/maps').read().count('_fast_wordpiece_tokenizer.so') > 0)"
SERVES = f"""
import sys
from serving.server.servable import Servable
for path in sys.argv[1:]:
    Servable(path)
    {LIBRARIES}
assert "tensorflow" not in sys.modules and "tensorflow_text" not in sys.modules
"""


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base path, never changed."""
    base = tmp_path_factory.mktemp("speller")
    translations.spell(base / "1")
    return base


@pytest.fixture(scope="module")
def unknown(speller: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with an operation that nobody has."""
    base = tmp_path_factory.mktemp("unknown")
    shutil.copytree(speller / "1", base / "1")
    file = base / "1" / "saved_model.pb"
    file.write_bytes(file.read_bytes().replace(b"NormalizeUTF8", b"NormalizeUTF9"))
    return base


def test_the_list_of_operations_is_read(speller: Path, saved_models: Path, tmp_path: Path) -> None:
    assert set(operations.used(str(speller / "1"))) >= OWN
    plain = operations.used(str(saved_models / "half" / "1"))
    assert "AddV2" in plain and not OWN & set(plain)
    assert operations.used(str(tmp_path)) == []


@pytest.mark.parametrize("content", [b"", b"\x12", b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"no graph" * 99])
def test_what_is_no_saved_model_has_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(content)
    assert operations.used(str(tmp_path)) == []


def test_a_model_cut_short_has_some_or_none(speller: Path, tmp_path: Path) -> None:
    whole = (speller / "1" / "saved_model.pb").read_bytes()
    known = operations.used(str(speller / "1"))
    for size in range(0, len(whole), len(whole) // 50):
        (tmp_path / "saved_model.pb").write_bytes(whole[:size])
        assert operations.used(str(tmp_path)) in ([], known)


@pytest.mark.parametrize("way", WAYS[:2])
def test_a_server_answers_texts(way: str, served: ModelServer) -> None:
    with opened(way, served, "speller") as client:
        answer = client.predict({"source": ["a man mans", "", "\u00e4"]})
    assert answer["translation"] == ["A MAN MANS", "", "\u00c4"]
    assert answer["source_tokens"][0] == ["\u2581a", "\u2581man", "\u2581man", "##s"]
    np.testing.assert_array_equal(answer["alignment"][0], np.eye(4))


@pytest.fixture(scope="module")
def served(speller: Path) -> Iterator[ModelServer]:
    """An embedded server of it."""
    with ModelServer({"speller": speller}, embedded=True) as running:
        yield running


def test_an_operation_that_nobody_has_is_named(unknown: Path) -> None:
    with pytest.raises(ServingError) as found:
        operations.register(str(unknown / "1"))
    assert found.value.message == (
        "the model's operation 'NormalizeUTF9' is not one of TensorFlow's, and TensorFlow Text has none either"
    )


@pytest.mark.slow
def test_libraries_are_opened_for_a_model_that_needs_them(speller: Path, saved_models: Path) -> None:
    paths = [saved_models / "half" / "1", speller / "1"]
    ran = subprocess.run([sys.executable, "-c", SERVES, *map(str, paths)], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["False", "True"]


@pytest.mark.slow
def test_a_process_with_tensorflow_loads_it_too(speller: Path, unknown: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", LOADS, speller / "1", unknown / "1"]
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    first, second = ran.stdout.splitlines()
    assert first == "[b'A MAN']"
    assert second == f"{unknown / '1'}: the model's operation 'NormalizeUTF9' is not one of TensorFlow's, and " + (
        "TensorFlow Text has none either"
    )
