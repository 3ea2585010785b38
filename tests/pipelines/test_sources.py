"""Digests of what a module needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import sources


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one package, whose folder is returned."""
    folder = tmp_path / "toy"
    files = {
        "__init__.py": "",
        "a.py": "import numpy\nfrom toy import b\nfrom toy.inner.c import value\n",
        "b.py": "def late():\n    from .inner import d\n",
        "inner/__init__.py": "from . import e\n",
        "inner/c.py": "from ..b import late\nvalue = 1\n",
        "inner/d.py": "import toy.f as other\n",
        "inner/e.py": "from toy.g import *\n",
        "f.py": "",
        "g.py": "",
        "unused.py": "from toy import a\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sources, "PACKAGES", ("toy",))
    sources._path.cache_clear()
    yield folder
    sources._path.cache_clear()


def test_imports_are_followed(package: Path) -> None:
    names = {"a", "b", "f", "g", "inner", "inner.c", "inner.d", "inner.e"}
    assert set(sources.digests("toy.a")) == {"toy", *(f"toy.{name}" for name in names)}
    assert set(sources.digests("toy.g")) == {"toy.g"}


def test_a_digest_changes_with_its_file_alone(package: Path) -> None:
    before = sources.digests("toy.a")
    assert sources.digests("toy.a") == before and list(before) == sorted(before)
    (package / "unused.py").write_text("# another\n")
    assert sources.digests("toy.a") == before
    (package / "inner" / "d.py").write_text("import toy.f as other\n\n")
    after = sources.digests("toy.a")
    assert {name for name in before if before[name] != after[name]} == {"toy.inner.d"}


def test_of_the_project() -> None:
    found = sources.digests("ann_keras.models.convolutional.lenet5")
    assert "ann_keras.settings" in found and "ann_keras.task" in found
    assert not [name for name in found if "mlp" in name or name.startswith("pipelines")]
    reader = sources.digests("ann_keras.datasets.digits", "pipelines.components.example_gen")
    assert "pipelines.components.example_shards" in reader and "ann_keras.datasets.splits" in reader
    assert not [name for name in reader if name.startswith("ann_keras.models")]
