"""Sequence to sequence: answer a text with a text, such as a sentence with its translation.

Maximises sum_t log p(y_t | y_1 ... y_{t-1}, x) over the training pairs, told the true tokens before, and answers with
the best sequence that a beam search finds (Sutskever, Vinyals and Le 2014, Sequence to sequence learning with neural
networks, section 3).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import tensorflow as tf

from ann_keras import buckets, decoding, text
from ann_keras.losses.sequences import TokenCrossEntropy
from ann_keras.metrics.sequences import Perplexity, TokenAccuracy
from ann_keras.settings import setting
from ann_keras.task import Analyzers, Evaluation, Feature, Metric, Task, Tensors
from ann_keras.tasks import translations

DEFAULT_DATASET = "dates"
ROLES = {"source": "text", "target": "text"}
"""role -> kind that a dataset must have."""


@dataclass(frozen=True)
class Config:
    """Settings of the task."""

    tokens: str = setting("pieces", "what a text is parted into: pieces of words, or words", choices=text.TOKENS)
    vocabulary: int = setting(2000, "most different tokens on either side, padding and the like included", low=8)
    joint: bool = setting(False, "one vocabulary for source and target")
    normal_form: str = setting("NFC", "of Unicode, that texts are brought to", choices=text.NORMAL_FORMS)
    lowercase: bool = setting(False, "read and write small letters alone")
    max_length: int = setting(
        64, "tokens of either side, its end included; what comes after them is cut", low=2, high=4096
    )
    batch_tokens: int = setting(
        2048, "tokens of a training step, source, target and padding together", low=1, stage="training"
    )
    label_smoothing: float = setting(
        0.1, "share of the probability that the loss spreads over all tokens", low=0, high=0.9, stage="training"
    )
    beam: int = setting(
        5, "hypotheses of the search; 1: the likeliest token each time", low=1, high=64, stage="training"
    )
    best: int = setting(3, "answers that are given, at most `beam`", low=1, high=64, stage="training")
    length_penalty: float = setting(
        0.6, "power of the length that log-probabilities are divided by; 0: none", low=0, high=5, stage="training"
    )
    min_bleu: float = setting(5.0, "BLEU below which no model is blessed", low=0, high=100, stage="evaluation")
    max_bleu_drop: float = setting(
        1.0, "loss of BLEU against the last blessed model that passes", low=0, high=100, stage="evaluation"
    )


def missing_roles(features: Mapping[str, Feature]) -> list[str]:
    """The roles, with their kinds, that a dataset lacks for this task."""
    return [f"{role} ({kind})" for role, kind in ROLES.items() if role not in features or features[role].kind != kind]


def check(model: ModuleType, config: Config, model_config: Any) -> None:
    """Raises a ValueError where the settings of the model want others of the task."""
    if getattr(model_config, "tie", "none") == "all" and not config.joint:
        raise ValueError("tie='all' shares one embedding between source and target: it needs joint=true")
    if getattr(model_config, "positions", "") == "learned" and config.max_length > model_config.longest:
        known = f"longest={model_config.longest}, the positions that are learned"
        raise ValueError(f"max_length={config.max_length}: expected at most {known}")


def bind(features: Mapping[str, Feature], config: Config) -> Task:
    """Returns the task for the pairs of texts of a dataset.

    Args:
        features: the dataset's "source" and "target".
        config: the settings.

    Raises:
        ValueError: where more answers are asked for than the search has hypotheses.
    """
    if config.best > config.beam > 1:
        raise ValueError(f"best={config.best}: expected at most beam={config.beam}")
    source, target = features["source"], features["target"]
    count = (config.vocabulary,)
    ids = functools.partial(Feature, kind="tensor", shape=(None,), dtype="int32")
    return Task(
        name="sequence_to_sequence",
        features=(source,),
        label=Feature("target", "text", dtype="int32", description=target.description),
        inputs=(
            ids("source", description="ids of the source's tokens, its end, then zeros"),
            ids("target_input", description="the start, then ids of the target's tokens, then zeros"),
        ),
        outputs=Feature("logits", "tensor", (None, *count), description="unnormalised log-probabilities of each token"),
        preprocess=functools.partial(preprocess, config=config),
        compile_args=functools.partial(compile_args, smoothing=config.label_smoothing),
        postprocess=postprocess,
        evaluation=_evaluation(config),
        ask=functools.partial(ask, config=config),
        batch_tokens=config.batch_tokens,
    )


def _evaluation(config: Config) -> Evaluation:
    path = "pipelines.sequence_metrics"
    return Evaluation(
        metrics=(
            Metric("bleu", f"{path}.CorpusBleu", lower=config.min_bleu, change=config.max_bleu_drop),
            Metric("chrf", f"{path}.CorpusChrF"),
            Metric("exact_match", f"{path}.ExactShare"),
            Metric("perplexity", f"{path}.TokenPerplexity", higher_is_better=False),
            Metric("word_perplexity", f"{path}.WordPerplexity", higher_is_better=False),
            Metric("copy_rate", f"{path}.CopyRate", higher_is_better=False),
            Metric("unknown_rate", f"{path}.UnknownRate", higher_is_better=False),
            Metric("truncation_rate", f"{path}.TruncationRate", higher_is_better=False),
        ),
        prediction="translation",
        slices=("source_length",),
        judge=translations.judge,
    )


def preprocess(raw: Mapping[str, Any], analyzers: Analyzers, *, config: Config) -> Tensors:
    """Normalises texts, parts them into tokens, and gives these their ids.

    Args:
        raw: "source": string [batch], UTF-8; in training also "target": string [batch].
        analyzers: give the vocabularies of the training split.
        config: the settings.

    Returns:
        "source": int64 [batch, max_length], ids, EOS, zeros; "source_vocabulary", "target_vocabulary": string [batch],
        all pieces, one a line, in the first row, "" in the others; "source_text": string [batch], normalised;
        "source_length": string [batch], how many words it has. In training also "target_input" and "target": int64
        [batch, max_length], SOS before and EOS after the ids, zeros; "reference": string [batch], what the answer is
        judged by.
    """
    sides = {name: raw[name] for name in ("source", "target") if name in raw}
    plain = {name: text.normalise(value, config.normal_form) for name, value in sides.items()}
    normal = plain
    if config.lowercase:
        normal = {name: text.normalise(value, config.normal_form, lowercase=True) for name, value in sides.items()}
    found = _vocabularies(normal, analyzers, config)
    ids = text.tokenise(normal["source"], found["source"][1])
    rows = tf.shape(raw["source"])[0]
    tensors = {
        "source": _padded([ids[:, : config.max_length - 1], _each(text.EOS, rows)], config.max_length),
        "source_text": plain["source"],
        "source_length": translations.length_names(text.count_words(normal["source"])),
    }
    for name, (pieces, _) in found.items():
        joined = tf.strings.reduce_join(pieces, separator="\n")
        tensors[f"{name}_vocabulary"] = tf.concat([[joined], tf.fill([tf.maximum(rows - 1, 0)], "")], 0)[:rows]
    if "target" in normal:
        target = text.tokenise(normal["target"], found["target"][1])
        tensors |= {
            "target_input": _padded([_each(text.SOS, rows), target], config.max_length),
            "target": _padded([target, _each(text.EOS, rows)], config.max_length),
            "reference": plain["target"],
        }
    return tensors


def _vocabularies(normal: Tensors, analyzers: Analyzers, config: Config) -> dict[str, tuple[Any, Any]]:
    """Pieces and model of both sides; a server, which has no target, is answered from what was found."""
    parted = {name: text.words(value).flat_values for name, value in normal.items()}
    size, tokens = config.vocabulary, config.tokens
    if config.joint:
        both = analyzers.vocabulary(tf.concat(list(parted.values()), 0), size, tokens, "joint_vocabulary")
        return {"source": both, "target": both}
    nothing = tf.constant([], tf.string)
    return {
        name: analyzers.vocabulary(parted.get(name, nothing), size, tokens, f"{name}_vocabulary")
        for name in ("source", "target")
    }


def _each(token: int, rows: Any) -> Any:
    return tf.RaggedTensor.from_tensor(tf.fill([rows, 1], token))


def _padded(parts: list[Any], length: int) -> Any:
    """The parts of each row one after the other, cut or filled with zeros to `length`; int64 [batch, length]."""
    joined = tf.concat(parts, axis=1)[:, :length]
    return tf.cast(joined.to_tensor(text.PAD, shape=[None, length]), tf.int64)


def compile_args(*, smoothing: float) -> dict[str, Any]:
    """The loss and the metrics, fresh."""
    return {"loss": TokenCrossEntropy(smoothing), "metrics": [TokenAccuracy(), Perplexity()]}


def ask(model: Any, prepared: Tensors, *, config: Config) -> Tensors:
    """Searches the best target sequences; where the true one is there, also says how likely it is.

    Args:
        model: a functional model with a `StepDecoder` named "decoder".
        prepared: as of `preprocess`.
        config: the settings.

    Returns:
        "source": int32 [batch, S]; "tokens": int32 [batch, best, T]; "scores": float32 [batch, best]; "lengths": int32
        [batch, best]; "alignment": float32 [batch, T, S], of the best one, the mean over the heads. With the target
        also "log_likelihood": float32 [batch], its log-probability.
    """
    found = buckets.trimmed({"source": tf.cast(prepared["source"], tf.int32)})
    memory = decoding.encoder_of(model)(found["source"], training=False)
    decoder = model.get_layer("decoder")
    if config.beam > 1:
        best = decoding.beam_search(decoder, memory, config.max_length, config.beam, config.length_penalty, config.best)
    else:
        best = decoding.greedy(decoder, memory, config.max_length, config.length_penalty)
    longest = tf.reduce_max(best.lengths)
    found |= {
        "tokens": best.tokens[:, :, :longest],
        "scores": best.scores,
        "lengths": best.lengths,
        "alignment": tf.reduce_mean(best.attention[:, 0, :, :longest], axis=1),
    }
    if "target" in prepared:
        sequences = ("source", "target_input", "target")
        told = buckets.trimmed({name: tf.cast(prepared[name], tf.int32) for name in sequences})
        target = told.pop("target")
        logits = tf.cast(model(told, training=False), tf.float32)
        each = -tf.nn.sparse_softmax_cross_entropy_with_logits(target, logits)
        found["log_likelihood"] = tf.reduce_sum(each * tf.cast(target != text.PAD, tf.float32), axis=1)
    return found


def postprocess(outputs: Tensors, prepared: Tensors) -> Tensors:
    """Names the answer.

    Args:
        outputs: as of `ask`.
        prepared: the vocabularies, as of `preprocess`.

    Returns:
        "translation": string [batch], "" for an empty source; "candidates": string [batch, best] and "scores": float32
        [batch, best], the log-probability over the length penalty, best first; "tokens": string [batch, T] and
        "source_tokens": string [batch, S], pieces, "" after their end; "alignment": float32 [batch, T, S], how much
        each token attends to each of the source, rows of sum 1, zeros after the end. With the target also
        "log_likelihood".
    """
    source, target = (
        tf.strings.split(tf.strings.reduce_join(prepared[f"{name}_vocabulary"]), "\n") for name in ("source", "target")
    )
    pieces = text.pieces_of(outputs["tokens"], target)
    candidates = text.join(pieces)
    empty = tf.equal(tf.math.count_nonzero(outputs["source"], axis=1), 1)
    candidates = tf.where(empty[:, tf.newaxis], "", candidates)
    answers = {
        "translation": candidates[:, 0],
        "candidates": candidates,
        "scores": outputs["scores"],
        "tokens": pieces[:, 0],
        "source_tokens": text.pieces_of(outputs["source"], source),
        "alignment": outputs["alignment"],
    }
    return {**answers, **{name: outputs[name] for name in ("log_likelihood",) if name in outputs}}
