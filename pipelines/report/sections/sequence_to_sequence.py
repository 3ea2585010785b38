"""Translations beside their references, what they attend to, and how they fare as sources grow, on the test split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from markupsafe import Markup

from ann_keras.task import Task, Tensors
from pipelines import sequence_metrics
from pipelines.report import alignments, attention, blocks, lengths
from pipelines.report.data import Section, Slice
from pipelines.report.sections import Answered

WORST, MEDIAN, BEST = 8, 4, 4
"""Translations that are shown of each sort."""
TRAINING = 12
"""Pairs of the training split that are shown."""
LONGEST = 400
"""Characters of a text that are shown."""


@dataclass(frozen=True)
class Predictions:
    """The model's translations of the test split, or of its first sentences.

    Attributes:
        keys: one per sentence.
        sources, references, translations: decoded.
        candidates: [sentences, n], best first; scores: float32 [sentences, n].
        tokens, source_tokens: those of each sentence, the end included.
        alignment: float32 [sentences, target, source].
        chrf: float64 [sentences], 0 to 100.
        signatures: how sacrebleu names what it computed: BLEU's and chrF's.
        metrics: of the whole test split, by name; slices: of its parts.
    """

    keys: Sequence[str]
    sources: Sequence[str]
    references: Sequence[str]
    translations: Sequence[str]
    candidates: Sequence[Sequence[str]]
    scores: np.ndarray
    tokens: Sequence[Sequence[str]]
    source_tokens: Sequence[Sequence[str]]
    alignment: np.ndarray
    chrf: np.ndarray
    signatures: Sequence[str]
    metrics: dict[str, float]
    slices: Sequence[Slice]

    def ranked(self) -> dict[str, list[int]]:
        """Places of the worst, the median and the best translations, longer sources first where scores are equal."""
        shorter = -np.array([len(source) for source in self.sources])
        order, best = (np.lexsort((shorter, chrf)).tolist() for chrf in (self.chrf, -self.chrf))
        middle = max(0, (len(order) - MEDIAN) // 2)
        return {"Worst": order[:WORST], "Median": order[middle : middle + MEDIAN], "Best": best[:BEST]}

    def drawn(self) -> list[int]:
        """Places of the translations whose attention is drawn: the longest of the best, the median and the worst."""
        ranked = self.ranked()
        longest = [max(ranked[name], key=lambda place: len(self.tokens[place])) for name in ("Best", "Median", "Worst")]
        return list(dict.fromkeys(longest))


def collect(task: Task, answered: Answered) -> Predictions:
    """Picks what `sections` needs.

    Args:
        task: names the feature that is the source.
        answered: its labels and the answers but "alignment" and "scores" are UTF-8.
    """
    answers = answered.answers
    references, translations = _decoded(answered.labels), _decoded(answers.get("translation", ()))
    chrf, bleu = sequence_metrics.chrf(), sequence_metrics.bleu()
    scores = [chrf.sentence_score(one, [other]).score for one, other in zip(translations, references, strict=True)]
    for scorer in (bleu, chrf):
        scorer.corpus_score([""], [[""]])  # a signature tells the number of references, once there were some
    evaluation = answered.evaluation
    return Predictions(
        keys=answered.keys,
        sources=_decoded(answered.inputs[task.features[0].name]),
        references=references,
        translations=translations,
        candidates=[_decoded(row) for row in answers.get("candidates", ())],
        scores=np.asarray(answers.get("scores", ())),
        tokens=[_tokens(row) for row in answers.get("tokens", ())],
        source_tokens=[_tokens(row) for row in answers.get("source_tokens", ())],
        alignment=np.asarray(answers.get("alignment", ())),
        chrf=np.array(scores),
        signatures=[str(bleu.get_signature()), str(chrf.get_signature())],
        metrics=dict(evaluation.overall) if evaluation else {},
        slices=evaluation.slices if evaluation else (),
    )


def _decoded(values: Any) -> list[str]:
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]


def _tokens(row: Any) -> list[str]:
    """The tokens before the padding."""
    tokens = _decoded(row)
    while tokens and not tokens[-1]:
        tokens.pop()
    return tokens


def sections(task: Task, examples: Predictions) -> list[Section]:
    """Returns the sections on `examples`; none where there are no examples."""
    if not len(examples.chrf):
        return []
    return [
        _translations(examples),
        _alignments(examples),
        _candidates(examples),
        lengths.section(examples.slices, examples.metrics),
    ]


def training(task: Task, keys: Sequence[str], raw: Mapping[str, Sequence[bytes]]) -> Section:
    """Pairs of the training split.

    Args:
        task: names its features.
        keys: one per example.
        raw: UTF-8 by feature.
    """
    sides = (_decoded(raw.get(name, ()))[:TRAINING] for name in (task.features[0].name, task.label.name))
    rows = [(key, _cell(source), _cell(target)) for key, source, target in zip(keys, *sides, strict=False)]
    return Section("Training pairs", blocks.table(["pair", "source", "target"], rows))


def inside(
    task: Task, model: keras.Model, examples: Predictions, prepare: Callable[[Sequence[int]], Tensors]
) -> list[Section]:
    """What each head of the decoder's last layer looks at while it writes the translations that are drawn.

    Args:
        task: not read.
        model: fitted, with a `StepDecoder` named "decoder".
        examples: as of `collect`.
        prepare: places of examples -> what the graph that prepares inputs makes of them.

    Returns:
        a section; none where there is no example or one head, which the alignments show.
    """
    if not len(examples.chrf):
        return []
    places = examples.drawn()
    weights = attention.over(model, prepare(places), [examples.tokens[place] for place in places])
    if weights.shape[1] < 2:
        return []
    text = (
        "The alignments above, apart for each head of the decoder's last layer, with the same tokens at their sides:"
        " the target from top to bottom, the source from left to right. Below each is the mean entropy of its rows: 0"
        " bits where every token of the target looks at one of the source."
    )
    body = blocks.paragraph(text) + blocks.scale("0", "1")
    for place, all_heads in zip(places, weights, strict=True):
        rows, columns = len(examples.tokens[place]), len(examples.source_tokens[place])
        body += _heading(examples.translations[place])
        body += alignments.heads(all_heads[:, :rows, :columns], f"Attention of {examples.keys[place]}")
    return [Section("Attention heads", body)]


def _cell(value: str) -> Markup:
    """A text in the direction that its script is read in."""
    shown = value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"
    return Markup('<div class="text" dir="auto">{}</div>').format(shown or "–")


def _heading(value: str) -> Markup:
    return Markup('<h3><bdi dir="auto">{}</bdi></h3>').format(value[:LONGEST] or "–")


def _translations(examples: Predictions) -> Section:
    said = Markup(
        "<p>Of {} sentences of the test split, by the chrF of each. The metrics are of all sentences together, as"
        " sacrebleu counts them: BLEU <code>{}</code>, chrF <code>{}</code>.</p>"
    )
    body = said.format(blocks.figure(len(examples.chrf)), *examples.signatures)
    for name, places in examples.ranked().items():
        columns = (examples.sources, examples.references, examples.translations)
        rows = [
            (examples.keys[place], float(examples.chrf[place]), *(_cell(column[place]) for column in columns))
            for place in places
        ]
        body += Markup("<h3>{}</h3>").format(name)
        body += blocks.table(["sentence", "chrF", "source", "reference", "translation"], rows)
    return Section("Translations", body)


def _alignments(examples: Predictions) -> Section:
    places = examples.drawn()
    cut = [
        examples.alignment[place, : len(examples.tokens[place]), : len(examples.source_tokens[place])]
        for place in places
    ]
    if all(map(alignments.looks_everywhere, cut)):
        none = "The decoder has no attention: it knows the source as one vector alone."
        return Section("Alignment", blocks.paragraph(none))
    text = (
        "How much each token of a translation, from top to bottom, attends to each of its source, the mean over the"
        " heads: the longest of the best, the median and the worst translations above."
    )
    body = blocks.paragraph(text)
    for place, weights in zip(places, cut, strict=True):
        said = f"Attention of {examples.keys[place]}"
        body += _heading(examples.translations[place])
        body += alignments.matrix(weights, examples.source_tokens[place], examples.tokens[place], said)
    return Section("Alignment", body)


def _candidates(examples: Predictions) -> Section:
    """All answers to the median sentence."""
    middle = examples.ranked()["Median"]
    place = middle[len(middle) // 2]
    text = (
        "All that the search gives for one source. A score is the natural logarithm of the probability over the penalty"
        " of the length."
    )
    found = zip(examples.candidates[place], examples.scores[place].tolist(), strict=True)
    rows = [
        (number, _cell(candidate), score)
        for number, (candidate, score) in enumerate(found, start=1)
        if np.isfinite(score)  # a search may end with fewer
    ]
    body = blocks.paragraph(text) + _heading(examples.sources[place])
    return Section("Candidates", body + blocks.table(["", "translation", "score"], rows))
