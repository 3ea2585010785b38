"""`ann deploy`: its answer, and one line and an exit code for what goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import cli
from serving import protos
from tests.pipelines.conftest import Answer


@pytest.fixture
def ann_here(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The command line in this process, in a folder whose ann-runs hold lenet5 1 and 2, and u_net 7."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANN_TRACEBACK", raising=False)
    saved_model = protos.saved_model_pb2.SavedModel()
    saved_model.meta_graphs.add().meta_info_def.tensorflow_version = "2.16.2"
    for version in ("lenet5/1", "lenet5/2", "u_net/7"):
        folder = tmp_path / "ann-runs" / "serving" / version
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes(saved_model.SerializeToString())

    def run(*arguments: str) -> Answer:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["deploy", *arguments])
        out, err = capfd.readouterr()
        return Answer(ended.value.code or 0, out, err)

    return run


def test_it_names_what_it_wrote(ann_here, tmp_path: Path):
    answer = ann_here("--out", "made", "--image", "team/serving:1")
    assert (answer.code, answer.err) == (0, "")
    first, second, *files, last = answer.out.splitlines()
    assert (first, second) == ("lenet5 2", "u_net 7")
    assert "  made/Dockerfile" in files
    assert "  made/kserve/u-net.yaml" in files
    assert all((tmp_path / file.strip()).is_file() for file in files)
    assert last == "team/serving:1 on tensorflow/serving:2.19.1; the commands are in made/README.md"
    again = ann_here("--out", "made", "--image", "team/serving:1").out.splitlines()[2:-1]
    assert again == [f"{file}  (unchanged)" for file in files]


def test_json_is_one_document(ann_here, tmp_path: Path):
    answer = ann_here("--out", "made", "--model", "lenet5:1", "--storage-uri", "gs://bucket/models", "--json")
    assert answer.code == 0
    document = json.loads(answer.out)
    assert document.keys() == {"out", "image", "server", "models", "files", "changed", "warnings"}
    assert document["models"] == [
        {"name": "lenet5", "version": "1", "path": str(tmp_path / "ann-runs" / "serving" / "lenet5" / "1")}
    ]
    assert "models/lenet5/1/saved_model.pb" in document["files"]
    assert "gs://bucket/models/lenet5" in (tmp_path / "made" / "kserve" / "lenet5.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        ("", 2, "'--out'"),
        ("--out made --image Upper", 2, "image 'Upper': expected NAME or NAME:TAG"),
        (
            "--out made --model nope",
            2,
            "model 'nope' is not pushed under ./ann-runs; the models there are lenet5, u_net",
        ),
        ("--out made --model lenet5 --model lenet5:1", 2, "model 'lenet5' is given twice"),
        ("--out made --storage-uri models", 2, "storage URI 'models': expected pvc://"),
        ("--out ann-runs/serving/lenet5/2/serving.pb", 2, "lies among the pushed models"),
        ("--out ann-runs/serving/lenet5/2/saved_model.pb", 2, "is a file"),
        ("--out made --model lenet5:9", 1, "no version 9 of lenet5 under"),
        ("--out made --root nowhere", 1, "no pushed model under nowhere; `ann run MODEL --root nowhere` pushes one"),
    ],
)
def test_what_is_wrong_is_one_line(ann_here, tmp_path: Path, arguments: str, code: int, part: str):
    answer = ann_here(*arguments.split())
    assert answer.code == code
    assert answer.out == ""
    (line,) = answer.err.splitlines()
    assert line.startswith("ann: ")
    assert part in line
    assert not (tmp_path / "made").exists()


def test_it_does_not_import_tensorflow(ann_here, tmp_path: Path):
    script = (
        "import sys; from serving.deploy import deploy; "
        "deploy('ann-runs', 'made'); sys.exit('tensorflow' in sys.modules)"
    )
    source = str(Path(__file__).resolve().parents[2])
    assert subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": source, "PATH": ""}).returncode == 0
