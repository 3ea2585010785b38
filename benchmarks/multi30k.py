"""English to German on Multi30k, test 2016: what attention gains over one vector, and the Transformer over both.

    python -m benchmarks.multi30k [--data DIR] [--models seq2seq,seq2seq_attention,transformer] [--pair en-de]
        [--minutes 60] [--out multi30k.jsonl]

DIR holds multi30k; without it and ANN_DATA_DIR the files are downloaded. BLEU and chrF are sacrebleu's, of the 1,000
sentences of the official test split; no validation sentence trains, and the test split chooses nothing. With --out a
benchmark that was killed goes on after the models that it finished, which stand beside that file.
"""

from __future__ import annotations

import argparse
import functools
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import sacrebleu
import tensorflow as tf

from ann_keras import data, registry, training
from benchmarks.trainings import Limit, Results, Told, digest, overrides

RECURRENT = {"epochs": 12, "patience": 12, "warmup": 300, "dropout": 0.25}
SHARED = {"vocabulary": 3000, "batch_tokens": 3000, "learning_rate": 2e-3, "decay": "cosine"}
MODELS: dict[str, dict[str, Any]] = {
    "seq2seq": {**SHARED, **RECURRENT},
    "seq2seq_attention": {**SHARED, **RECURRENT},
    "transformer": {**SHARED, "epochs": 18, "patience": 18, "warmup": 500, "dropout": 0.15},
}
"""The settings that each is trained with, beside its defaults."""
LEAST = {"transformer": 30.0, "seq2seq_attention": 25.0}
GAIN, MINUTES = 5.0, 60
"""BLEU of attention over seq2seq, at least; minutes of training, at most."""
BEAMS = (1, 5)
ASKED = 100
"""Sentences that are answered at a time."""


def translate(triple: registry.Triple, loaded: data.Data, model: keras.Model, beam: int) -> dict[str, Any]:
    """Answers the test split in the arithmetic of the exported signature "evaluate".

    Args:
        triple: of sequence to sequence.
        loaded: its data.
        model: trained on them.
        beam: hypotheses of the search.
    """
    found = registry.resolve(
        triple.model_name, triple.dataset_name, overrides={**triple.settings, "beam": beam, "best": 1}
    )
    task = found.task
    features = (*task.features, task.label)
    count = task.evaluation.judge
    assert count is not None
    signature = {feature.name: tf.TensorSpec([None], tf.string) for feature in features}

    @functools.partial(tf.function, autograph=False, input_signature=[signature])
    def evaluate(raw: Any) -> Any:
        prepared = loaded.transform(raw)
        return count(task.answer(model, prepared), prepared)

    rows, judged = loaded.rows["test"], []
    started = time.perf_counter()
    for first in range(0, len(rows), ASKED):
        some = rows[first : first + ASKED]
        raw = {feature.name: tf.constant([row.values[feature.name] for row in some]) for feature in features}
        judged.append({name: value.numpy() for name, value in evaluate(raw).items()})
    seconds = time.perf_counter() - started
    return {**figures({name: np.concatenate([one[name] for one in judged]) for name in judged[0]}), "seconds": seconds}


def figures(judged: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The figures of a split, as the Evaluator has them."""
    said, wanted = ([text.decode("utf-8") for text in judged[name]] for name in ("translation", "reference"))
    bleu, total = sacrebleu.BLEU(), float(judged["log_likelihood"].sum())
    return {
        "bleu": bleu.corpus_score(said, [wanted]).score,
        "chrf": sacrebleu.CHRF().corpus_score(said, [wanted]).score,
        "perplexity": float(np.exp(-total / judged["tokens"].sum())),
        "word_perplexity": float(np.exp(-total / judged["words"].sum())),
        "signature": str(bleu.get_signature()),
    }


def measure(name: str, pair: str, settings: dict[str, Any], given: argparse.Namespace, path: Path) -> dict[str, Any]:
    """Trains a model, keeps it at `path` and judges it."""
    dataset = "multi30k" if pair == "en-de" else f"multi30k:{pair}"
    triple = registry.resolve(name, dataset, overrides=settings)
    started = time.perf_counter()
    loaded = data.load(triple)
    print(f"  {len(loaded.train)}, {len(loaded.eval)} and {len(loaded.test)} pairs", flush=True)
    limit = Limit(60 * given.minutes - (time.perf_counter() - started))
    fitted = training.fit(triple, loaded.train, loaded.eval, given.seed, callbacks=[limit, Told(1, "perplexity")])
    seconds = time.perf_counter() - started
    path.parent.mkdir(parents=True, exist_ok=True)
    fitted.model.save(path)
    return {
        "beams": {str(beam): translate(triple, loaded, fitted.model, beam) for beam in BEAMS},
        "parameters": fitted.model.count_params(),
        "seconds": seconds,
        "epochs": len(fitted.history["loss"]),
        "best_epoch": fitted.best_epoch + 1,
    }


def tell(found: dict[str, Any]) -> None:
    """Prints the figures of a model."""
    took = f"{found['seconds']:.0f} s, epoch {found['best_epoch']} of {found['epochs']}"
    print(f"  {found['parameters']:,} parameters; {took}")
    for beam, one in found["beams"].items():
        perplexity = f"perplexity {one['perplexity']:.2f} a token, {one['word_perplexity']:.2f} a word"
        print(f"  beam {beam}: BLEU {one['bleu']:.2f}, chrF {one['chrf']:.2f}, {perplexity}, {one['seconds']:.1f} s")
    print(f"  {one['signature']}", flush=True)


def verdicts(found: dict[str, dict[str, Any]]) -> None:
    """Prints what holds of what is promised."""
    bleu = {name: {beam: one["bleu"] for beam, one in each["beams"].items()} for name, each in found.items()}
    greedy, wide = (str(beam) for beam in BEAMS)
    for name, least in LEAST.items():
        if name in bleu:
            minutes = found[name]["seconds"] / 60
            holds = "holds" if bleu[name][wide] >= least and minutes <= MINUTES else "FAILS"
            told = f"BLEU {bleu[name][wide]:.2f} (at least {least:.0f}) in {minutes:.1f} minutes (at most {MINUTES})"
            print(f"{name}: {told}: {holds}")
    if {"seq2seq", "seq2seq_attention"} <= set(bleu):
        gain = bleu["seq2seq_attention"][wide] - bleu["seq2seq"][wide]
        print(f"attention gains {gain:.2f} BLEU (at least {GAIN:.0f}): {'holds' if gain >= GAIN else 'FAILS'}")
    for name, one in bleu.items():
        gain = one[wide] - one[greedy]
        print(f"{name}: beam {wide} gains {gain:+.2f} BLEU over greedy: {'holds' if gain >= 0 else 'FAILS'}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of multi30k, in place of ANN_DATA_DIR")
    parser.add_argument("--models", default=",".join(MODELS), help=f"of {','.join(MODELS)}")
    parser.add_argument("--pair", default="en-de", help="source and target language")
    parser.add_argument("--minutes", type=float, default=float(MINUTES), help="at most for each model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of every model")
    parser.add_argument("--out", type=Path, help="where each model's figures are kept, as JSON lines")
    given = parser.parse_args()
    names = given.models.split(",")
    for name in names:
        if name not in MODELS:
            parser.error(f"--models {name}: expected some of {', '.join(MODELS)}")
    if given.data is not None:
        os.environ["ANN_DATA_DIR"] = str(given.data)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if given.out is None else given.out.with_suffix(".models")
        results, found = Results(given.out), {}
        for name in names:
            settings = {**MODELS[name], **overrides(given.set)}
            asked = {
                "model": name,
                "pair": given.pair,
                "seed": given.seed,
                "minutes": given.minutes,
                "settings": settings,
            }
            print(f"{name}:", flush=True)
            known = results.find(asked)
            if known is None:
                path = folder / f"{name}-{digest(asked)}.keras"
                known = results.add(asked, measure(name, given.pair, settings, given, path))
            found[name] = known
            tell(known)
    verdicts(found)


if __name__ == "__main__":
    main()
