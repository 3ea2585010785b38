"""The README's example runs as it stands."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.slow
def test_the_script_trains_and_measures(tmp_path):
    (example,) = re.findall(r"<!-- example -->\n```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(example.splitlines()) <= 13 and "tfx" not in example
    check = example + "\nimport sys\nprint('tfx' in sys.modules)\n"
    environment = {**os.environ, "PYTHONPATH": str(README.parent)}
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    *_, metrics, imports_tfx = done.stdout.splitlines()
    assert imports_tfx == "False"
    assert ast.literal_eval(metrics)["accuracy"] > 0.95
    assert (tmp_path / "lenet5.keras").is_file()


def test_every_file_and_command_that_is_named_exists():
    text = README.read_text()
    for link in re.findall(r"\]\(([\w./-]+)\)", text):
        assert (README.parent / link).exists(), link
    for folder in re.findall(r"^\| `(\w+/)` \|", text, re.MULTILINE):
        assert (README.parent / folder).is_dir(), folder
    from pipelines.cli import cli

    for command in re.findall(r"^ann (\w+)", text, re.MULTILINE):
        assert command in cli.commands, command
