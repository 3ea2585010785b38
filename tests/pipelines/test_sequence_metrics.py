"""The Evaluator's metrics of sequences against sacrebleu and by hand, alone and through a run of TFMA."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.pipelines.test_metrics import Element, measured

pytestmark = pytest.mark.slow

PAIRS = [
    ("The cat sat on the mat.", "The cat sat on the mat."),
    ("A dog, it seems, runs", "A dog runs over the green field."),
    ("", "Nothing was said."),
    ("zwei Männer spielen Fußball", "Zwei Männer spielen im Park Fußball ."),
    ("القط على السجادة", "جلس القط على السجادة"),
    ("a a a a a a", "a <script> of \U0001f600 & \u00e9"),
    ("unknown", ""),
]
COUNTS: dict[str, list[Any]] = {
    "log_likelihood": [-1.5, -8.0, -3.25, -6.0, -12.0, -20.0, -0.5],
    "tokens": [7, 8, 4, 7, 5, 7, 1],
    "words": [7, 8, 4, 8, 5, 6, 1],
    "unknown": [0, 1, 0, 0, 2, 0, 0],
    "copied": [0, 0, 0, 0, 1, 2, 0],
    "produced": [6, 5, 0, 4, 3, 6, 1],
    "truncated": [0, 0, 0, 0, 0, 1, 0],
    "exact": [1, 0, 0, 0, 0, 0, 0],
}


def of(name: str, elements: list[Element]) -> float:
    from pipelines import sequence_metrics

    return measured(name, elements, module=sequence_metrics)


def said(pairs: list[tuple[str, str]]) -> list[Element]:
    """As TFMA gives them: bytes, with or without an axis for the example."""
    elements = []
    for place, pair in enumerate(pairs):
        values = [np.array(text.encode(), object).reshape([1] * (place % 2)) for text in pair]
        elements.append(Element(math.nan, translation=values[0], reference=values[1]))
    return elements


def counted(places: list[int]) -> list[Element]:
    return [Element(math.nan, **{name: [values[place]] for name, values in COUNTS.items()}) for place in places]


@pytest.mark.parametrize("pairs", [PAIRS, PAIRS[:1], PAIRS[2:3], PAIRS[1:5] * 40, PAIRS[6:]])
def test_bleu_and_chrf_are_those_of_sacrebleu(pairs: list[tuple[str, str]]) -> None:
    from sacrebleu.metrics import BLEU, CHRF

    translations, references = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    for name, scorer in (("CorpusBleu", BLEU()), ("CorpusChrF", CHRF())):
        assert of(name, said(pairs)) == scorer.corpus_score(translations, [references]).score


def test_bleu_by_hand() -> None:
    """Of 5 words 4 are right, of 4 pairs 3, of 3 triples 2, of 2 quadruples 1; 5 words for 6: exp(1 - 6/5)."""
    precision = (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25
    assert of("CorpusBleu", said([("a b c d x", "a b c d e f")])) == pytest.approx(
        100 * precision * math.exp(1 - 6 / 5)
    )


def test_bleu_knows_capitals_and_parts_punctuation() -> None:
    assert of("CorpusBleu", said([("a b c d .", "a b c d.")])) == pytest.approx(100)
    assert of("CorpusBleu", said([("A b c d e", "a b c d e")])) < 100


def test_ratios_by_hand() -> None:
    everyone = counted(list(range(len(PAIRS))))
    expected = {
        "TokenPerplexity": math.exp(51.25 / 39),
        "WordPerplexity": math.exp(51.25 / 39),
        "ExactShare": 1 / 7,
        "CopyRate": 3 / 25,
        "UnknownRate": 3 / 25,
        "TruncationRate": 1 / 7,
    }
    assert {name: of(name, everyone) for name in expected} == pytest.approx(expected)
    two = counted([1, 3])
    assert of("TokenPerplexity", two) == pytest.approx(math.exp(14 / 15))
    assert of("WordPerplexity", two) == pytest.approx(math.exp(14 / 16))


def test_of_nothing_and_of_the_impossible() -> None:
    assert math.isnan(of("CorpusBleu", [])) and math.isnan(of("TokenPerplexity", []))
    assert math.isnan(of("CopyRate", counted([2])))  # it says nothing
    assert of("TokenPerplexity", [Element(math.nan, log_likelihood=[-1e5], tokens=[2])]) == math.inf


def test_signatures_name_what_was_counted() -> None:
    from pipelines import sequence_metrics

    for scorer in (sequence_metrics.bleu(), sequence_metrics.chrf()):
        scorer.corpus_score(["a"], [["a"]])
    assert "case:mixed|eff:no|tok:13a|smooth:exp" in str(sequence_metrics.bleu().get_signature())
    assert "case:mixed|eff:yes|nc:6|nw:0|space:no" in str(sequence_metrics.chrf().get_signature())


def test_tfma_has_no_other_metric_of_the_same_name() -> None:
    """Those that it registered go before a module that is named."""
    from tensorflow_model_analysis.metrics import metric_types

    from pipelines import metrics, sequence_metrics

    own = {
        name for name, one in vars(sequence_metrics).items() if isinstance(one, type) and issubclass(one, metrics.Sum)
    }
    assert "CorpusBleu" in own and not own & set(metric_types.registered_metrics())


def test_another_process_reads_the_scorer() -> None:
    from pipelines import sequence_metrics

    assert pickle.loads(pickle.dumps(sequence_metrics.bleu)) is sequence_metrics.bleu


class TestThroughTfma:
    """A SavedModel that answers what the examples hold, judged as the task is."""

    TEXTS = ("source", "target", "translation", "reference", "source_length")
    SOURCES = ("one two", "one two three four five six")

    def examples(self, path: Path) -> None:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for place, (translation, reference) in enumerate(PAIRS):
                short = place < 3
                texts = ["", reference, translation, reference, "01-04 words" if short else "05-08 words"]
                texts[0] = self.SOURCES[0 if short else 1]
                one = tf.train.Example()
                for name, text in zip(self.TEXTS, texts, strict=True):
                    one.features.feature[name].bytes_list.value.append(text.encode())
                one.features.feature["log_likelihood"].float_list.value.append(COUNTS["log_likelihood"][place])
                for name in list(COUNTS)[1:]:
                    one.features.feature[name].int64_list.value.append(COUNTS[name][place])
                writer.write(one.SerializeToString())

    def model(self, path: Path) -> None:
        kinds = dict.fromkeys(self.TEXTS, tf.string) | dict.fromkeys(COUNTS, tf.int64)
        kinds["log_likelihood"] = tf.float32
        spec = {name: tf.io.FixedLenFeature([], kind) for name, kind in kinds.items()}

        def asked(names: list[str]) -> Any:
            @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
            def answer(examples: Any) -> dict[str, Any]:
                parsed = tf.io.parse_example(examples, spec)
                return {name: parsed[name] for name in names}

            return answer

        module = tf.Module()
        module.evaluate = asked(["translation", "reference", *COUNTS])
        module.slices = asked(["source_length"])
        tf.saved_model.save(module, str(path), signatures={"evaluate": module.evaluate, "slices": module.slices})

    def test_a_run_gives_every_metric_and_slice(self, tmp_path: Path) -> None:
        import tensorflow_model_analysis as tfma
        from sacrebleu.metrics import BLEU

        from ann_keras.task import Feature
        from ann_keras.tasks import sequence_to_sequence as task_module
        from pipelines import results, schema

        features = {name: Feature(name, "text") for name in ("source", "target")}
        task = task_module.bind(features, task_module.Config(min_bleu=1.0))
        alone = tuple(replace(metric, change=None) for metric in task.evaluation.metrics)  # there is no baseline
        task = replace(task, evaluation=replace(task.evaluation, metrics=alone))
        self.examples(tmp_path / "examples")
        self.model(tmp_path / "model")
        config = schema.eval_config(task)
        tfma.run_model_analysis(
            tfma.default_eval_shared_model(str(tmp_path / "model"), eval_config=config),
            eval_config=config,
            data_location=str(tmp_path / "examples"),
            output_path=str(tmp_path / "out"),
        )
        found = results.read_evaluation(str(tmp_path / "out"), task)
        assert found.overall["copy_rate"] == pytest.approx(3 / 25)
        assert {metric.name for metric in task.evaluation.metrics} <= set(found.overall)

        def bleu(pairs: list[tuple[str, str]]) -> float:
            score = BLEU().corpus_score([pair[0] for pair in pairs], [[pair[1] for pair in pairs]]).score
            return float(score)

        assert found.overall["bleu"] == pytest.approx(bleu(PAIRS))
        assert found.overall["perplexity"] == pytest.approx(math.exp(51.25 / 39))
        by_length = {part.name: part.metrics for part in found.slices}
        assert list(by_length) == ["source_length = 01-04 words", "source_length = 05-08 words"]
        assert by_length["source_length = 01-04 words"]["bleu"] == pytest.approx(bleu(PAIRS[:3]))
        assert by_length["source_length = 05-08 words"]["truncation_rate"] == pytest.approx(1 / 4)
