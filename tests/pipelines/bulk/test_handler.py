"""The model handler in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.conftest import Ann

LOADS = """
import sys
from pipelines.bulk.handler import SavedModelHandler
kept = SavedModelHandler(sys.argv[1], "serving_default", (), 1).load_model()
"""


@pytest.mark.slow
def test_a_process_with_a_model_that_has_a_vocabulary_ends_without_a_word(ann: Ann, tmp_path: Path) -> None:
    import tensorflow as tf

    vocabulary = tmp_path / "vocabulary.txt"
    vocabulary.write_text("cat\ndog\n")
    whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(str(vocabulary), tf.string, whole, tf.int64, number), -1
    )
    function = tf.function(
        lambda word: {"index": module.table.lookup(word)},
        input_signature=[tf.TensorSpec([None], tf.string, name="word")],
    )
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=function)
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADS, tmp_path / "model"],
        env=ann.environment(CUDA_VISIBLE_DEVICES="-1", TF_CPP_MIN_LOG_LEVEL="3"),
        cwd=ann.folder,
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
