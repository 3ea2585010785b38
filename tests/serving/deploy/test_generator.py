"""What is chosen, copied and written, and what stays as it is."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from packaging.version import Version

from serving import protos
from serving.deploy import Deployment, PushedModelError, deploy


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_the_newest_whole_version_of_every_model_is_deployed(deployment: Deployment):
    assert [(model.name, model.version) for model in deployment.models] == [("half_plus_two", "10"), ("text", "1")]
    import tensorflow as tf

    is_newer = Version(tf.__version__) >= Version("2.20")  # than the server's 2.19
    assert len(deployment.warnings) == (2 if is_newer else 0)
    assert set(deployment.files) == set(content(deployment.out))
    for model in deployment.models:
        copied = deployment.out / model.folder
        assert {name: held[0] for name, held in content(copied).items()} == {
            name: held[0] for name, held in content(model.path).items()
        }
        assert os.path.samefile(copied / "saved_model.pb", model.path / "saved_model.pb")


def test_one_model_and_an_older_version_can_be_chosen(pushed_root: Path, tmp_path: Path):
    made = deploy(pushed_root, tmp_path, models=["half_plus_two:9"])
    assert [(model.name, model.version) for model in made.models] == [("half_plus_two", "9")]
    assert not (tmp_path / "models" / "text").exists()
    assert not (tmp_path / "kserve" / "text.yaml").exists()
    assert "text" not in (tmp_path / "models.config").read_text()


def test_a_second_run_changes_nothing(pushed_root: Path, tmp_path: Path):
    first = deploy(pushed_root, tmp_path)
    assert first.changed == first.files
    before = content(tmp_path)
    second = deploy(pushed_root, tmp_path)
    assert second.changed == []
    assert (second.files, second.image) == (first.files, first.image)
    assert content(tmp_path) == before


def test_a_run_mends_its_own_files_and_leaves_others(pushed_root: Path, tmp_path: Path):
    first = deploy(pushed_root, tmp_path, models=["text"])
    expected = content(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    broken = tmp_path / "models" / "text" / "1" / "saved_model.pb"
    broken.unlink()
    broken.write_bytes(b"half")
    mine = tmp_path / "kubernetes" / "ingress.yaml"
    mine.write_text("mine")
    second = deploy(pushed_root, tmp_path, models=["text"])
    assert set(second.changed) == {"Dockerfile", "models/text/1/saved_model.pb"}
    assert mine.read_text() == "mine"
    mine.unlink()
    assert {name: held[0] for name, held in content(tmp_path).items()} == {n: held[0] for n, held in expected.items()}
    assert second.image == first.image


def test_an_older_version_of_an_earlier_run_stays_but_is_not_built(pushed_root: Path, tmp_path: Path):
    deploy(pushed_root, tmp_path, models=["half_plus_two:9"])
    deploy(pushed_root, tmp_path)
    assert (tmp_path / "models" / "half_plus_two" / "9" / "saved_model.pb").is_file()
    for name in ("Dockerfile", ".dockerignore"):
        assert "half_plus_two/10" in (tmp_path / name).read_text()
        assert "half_plus_two/9" not in (tmp_path / name).read_text()


def test_the_tag_follows_the_models_unless_one_is_given(pushed_root: Path, tmp_path: Path):
    chosen = [["half_plus_two:9"], ["half_plus_two:10"], ["text"], []]
    tags = [deploy(pushed_root, tmp_path, models=models).image for models in chosen]
    assert len(set(tags)) == 4
    assert all(tag.startswith("ann-serving:") for tag in tags)
    assert deploy(pushed_root, tmp_path, image="a/b:7").image == "a/b:7"
    other = tmp_path / "other"
    shutil.copytree(pushed_root / "serving" / "half_plus_two" / "10", other / "serving" / "half_plus_two" / "9")
    assert deploy(other, tmp_path / "out").image != tags[0]  # the same name and version, other weights


def test_without_hard_links_the_models_are_copied(
    pushed_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deployment: Deployment
):
    def refuse(source: str, target: str) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    made = deploy(pushed_root, tmp_path, models=["text"])
    (model,) = made.models
    copied = tmp_path / model.folder / "saved_model.pb"
    assert copied.read_bytes() == (model.path / "saved_model.pb").read_bytes()
    assert not os.path.samefile(copied, model.path / "saved_model.pb")
    assert not list(tmp_path.rglob("*.new"))


def test_a_failed_write_leaves_the_old_file_and_no_other(
    pushed_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    deploy(pushed_root, tmp_path, models=["text"])
    before = content(tmp_path)

    def full(self: Path, data: bytes) -> int:
        with open(self, "wb") as file:
            file.write(data[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        deploy(pushed_root, tmp_path, image="another:1", models=["text"])
    assert content(tmp_path) == before


def test_a_model_of_a_newer_tensorflow_is_warned_of(pushed_root: Path, tmp_path: Path):
    version = tmp_path / "serving" / "text" / "1"
    shutil.copytree(pushed_root / "serving" / "text" / "1", version)
    file = version / "saved_model.pb"
    saved_model = protos.saved_model_pb2.SavedModel.FromString(file.read_bytes())
    saved_model.meta_graphs[0].meta_info_def.tensorflow_version = "2.99.1"
    file.write_bytes(saved_model.SerializeToString())
    (warning,) = deploy(tmp_path, tmp_path / "out").warnings
    assert "TensorFlow 2.99.1 wrote text" in warning
    assert "TF_SERVING" in warning


def test_memory_grows_with_the_models(pushed_root: Path, tmp_path: Path):
    small = deploy(pushed_root, tmp_path / "small", models=["text"])
    version = tmp_path / "root" / "serving" / "text" / "1"
    shutil.copytree(pushed_root / "serving" / "text" / "1", version)
    with open(version / "variables" / "more", "wb") as file:
        file.truncate(100 << 20)
    large = deploy(tmp_path / "root", tmp_path / "large")
    assert 'memory: "768Mi"' in (small.out / "kubernetes" / "deployment.yaml").read_text()
    assert 'memory: "1024Mi"' in (large.out / "kubernetes" / "deployment.yaml").read_text()


def test_two_models_of_one_kubernetes_name_are_refused(pushed_root: Path, tmp_path: Path):
    for name in ("u_net", "u-net"):
        shutil.copytree(pushed_root / "serving" / "text", tmp_path / "serving" / name)
    with pytest.raises(ValueError, match="'u-net' and 'u_net' would both be 'u-net'"):
        deploy(tmp_path, tmp_path / "out")
    assert deploy(tmp_path, tmp_path / "out", models=["u_net"]).models[0].name == "u_net"


def test_a_saved_model_that_cannot_be_read_is_named(pushed_root: Path, tmp_path: Path):
    version = tmp_path / "serving" / "text" / "1"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"\xff\xff\xff")
    with pytest.raises(PushedModelError, match=r"text/1/saved_model\.pb is no SavedModel"):
        deploy(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
