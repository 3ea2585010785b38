from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ann_keras.task import Feature
from ann_keras.tasks import sequence_to_sequence as task_module
from pipelines.report import alignments, lengths, render, sections
from pipelines.report.data import ReportData, Slice
from pipelines.report.sections import sequence_to_sequence as section
from pipelines.results import EvaluationResult

TASK = task_module.bind({name: Feature(name, "text") for name in ("source", "target")}, task_module.Config())
PAIRS = [
    ("zwei Hunde", "two dogs", "two dogs"),
    ("ein Mann läuft durch den Park", "a man runs through the park", "a man walks through a park"),
    ("<script>alert(1)</script>", "<b>bold</b>", "<i>other</i>"),
    ("قطة سوداء", "black cat", "a dog"),
    ("", "nothing", ""),
]
METRICS = {"bleu": 30.0, "chrf": 50.0, "perplexity": 4.0, "word_perplexity": 9.0, "example_count": 5.0} | {
    "copy_rate": 0.25, "unknown_rate": 0.0, "truncation_rate": 0.2,
}  # fmt: skip
SLICES = [
    Slice("source_length = 01-04 words", METRICS | {"bleu": 40.0, "example_count": 4.0}),
    Slice("source_length = 05-08 words", METRICS | {"bleu": 20.0, "example_count": 1.0, "copy_rate": float("nan")}),
    Slice("other = 1", METRICS),
]


def rows_of(texts: list[list[str]], width: int) -> np.ndarray:
    return np.array([[piece.encode() for piece in row] + [b""] * (width - len(row)) for row in texts], object)


def answered(pairs: list[tuple[str, str, str]] = PAIRS, even: bool = False) -> sections.Answered:
    sides = zip(*pairs, strict=True)
    sources, references, translations = (np.array([text.encode() for text in side], object) for side in sides)
    tokens = [[*(f"▁{word}" for word in text.split()), "<eos>"] for _, _, text in pairs]
    given = [[*(f"▁{word}" for word in text.split()), "<eos>"] for text, _, _ in pairs]
    most, longest = max(map(len, tokens)), max(map(len, given))
    alignment = np.zeros((len(pairs), most, longest), "float32")
    for place, (target, source) in enumerate(zip(tokens, given, strict=True)):
        for row in range(len(target)):
            alignment[place, row, row % len(source)] = 1.0
            if even:
                alignment[place, row, : len(source)] = 1 / len(source)
    candidates = np.array([[text.encode(), b"another <b>", b""] for _, _, text in pairs], object)
    answers = {
        "translation": translations,
        "candidates": candidates,
        "scores": np.tile(np.array([-0.25, -1.5, -np.inf], "float32"), [len(pairs), 1]),
        "tokens": rows_of(tokens, most),
        "source_tokens": rows_of(given, longest),
        "alignment": alignment,
    }
    keys = [f"pair-{place}" for place in range(len(pairs))]
    evaluation = EvaluationResult(METRICS, SLICES, [])
    return sections.Answered(
        keys, {"source": sources.tolist()}, references, answers, lambda raw: {}, {}, evaluation=evaluation
    )


def made(given: sections.Answered) -> dict[str, str]:
    return {one.title: str(one.html) for one in section.sections(TASK, section.collect(TASK, given))}


def test_the_module_is_found() -> None:
    assert sections.for_task("sequence_to_sequence") is section


def test_worst_median_and_best_beside_source_and_reference() -> None:
    html = made(answered())["Translations"]
    worst, _, best = (part for part in re.split("<h3>(?:Worst|Median|Best)</h3>", html)[1:])
    assert re.findall(r"pair-\d", worst)[0] == "pair-4" and re.findall(r"pair-\d", worst)[-1] == "pair-0"
    assert re.findall(r"pair-\d", best)[0] == "pair-0"
    row = re.search(r"<tr><th scope=\"row\">pair-0.*?</tr>", best)
    assert row is not None and '<td class="number">100</td>' in row[0]
    assert re.findall('<div class="text" dir="auto">([^<]*)</div>', row[0]) == ["zwei Hunde", "two dogs", "two dogs"]
    assert "tok:13a|smooth:exp" in html and "nc:6|nw:0" in html


def test_equal_scores_put_the_longer_source_first() -> None:
    pairs = [("a", "b", "b"), ("a a a", "b", "b"), ("a a", "b", "b")]
    assert section.collect(TASK, answered(pairs)).ranked()["Best"] == [1, 2, 0]


def test_markup_is_escaped_and_scripts_keep_their_direction() -> None:
    found = made(answered())
    for html in found.values():
        assert "<script" not in html and "<b>" not in html and "<i>other" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in found["Translations"]
    assert '<div class="text" dir="auto">قطة سوداء</div>' in found["Translations"]
    page = render.render(ReportData("transformer", "<x>", "sequence_to_sequence", "one", sections=[
        *section.sections(TASK, section.collect(TASK, answered()))
    ]))  # fmt: skip
    assert "alert(1)</script>" not in page


def test_alignments_have_the_tokens_at_their_sides() -> None:
    best = made(answered(PAIRS[:1]))["Alignment"]
    assert re.findall(r'<th scope="col"><span dir="auto">(.*?)</span>', best) == ["zwei", "Hunde", "&lt;eos&gt;"]
    assert re.findall(r'<th scope="row"><span dir="auto">(.*?)</span>', best) == ["two", "dogs", "&lt;eos&gt;"]
    assert re.findall(r"--share:([\d.]+)", best) == ["1", "0", "0", "0", "1", "0", "0", "0", "1"]
    assert best.count("<table") == 1


def test_attention_is_drawn_of_the_longest_of_each_sort() -> None:
    pairs = [("x", "y", "y")] * 30 + [("x", "y z", "y a b")] * 4 + [("x", "y", "q"), ("x", "y", "q q q")]
    examples = section.collect(TASK, answered(pairs))
    assert examples.drawn() == [0, 10, 35]


def test_a_decoder_without_attention_is_not_drawn() -> None:
    html = made(answered(even=True))["Alignment"]
    assert "no attention" in html and "<table" not in html


def test_candidates_with_their_scores() -> None:
    html = made(answered())["Candidates"]
    assert re.findall(r'<td class="number">(-[\d.]+)', html) == ["-0.2500", "-1.5"] and "another &lt;b&gt;" in html


def test_the_length_of_the_source() -> None:
    html = made(answered())["Length of the source"]
    assert "score by length of the source: 40 at 01-04 words, 20 at 05-08 words" in html
    assert html.count("<svg") == 2
    rows = [re.sub(r"<[^>]+>", " ", row).split() for row in re.findall("<tr>(.*?)</tr>", html)][1:]
    assert rows == [
        ["01-04", "words", "4", "25.00", "%", "0.00", "%", "20.00", "%"],
        ["05-08", "words", "1", "–", "0.00", "%", "20.00", "%"],
        ["all", "5", "25.00", "%", "0.00", "%", "20.00", "%"],
    ]
    alone = str(lengths.section(SLICES[:1], METRICS).html)
    assert "<svg" not in alone and "<table" in alone


def test_training_pairs_stand_side_by_side() -> None:
    raw = {"source": [b"ein Haus", b"<p>"], "target": ["بيت".encode(), b"\xff"]}
    html = str(section.training(TASK, ["a", "b"], raw).html)
    assert re.findall('dir="auto">(.*?)</div>', html) == ["ein Haus", "بيت", "&lt;p&gt;", "\N{REPLACEMENT CHARACTER}"]


def test_no_sentences_no_sections() -> None:
    empty = replace(answered(), keys=[], inputs={"source": []}, labels=np.array([], object), answers={})
    examples = section.collect(TASK, empty)
    assert section.sections(TASK, examples) == []
    assert section.inside(TASK, None, examples, lambda places: {}) == []


def test_a_long_text_and_a_long_alignment_are_cut() -> None:
    text = " ".join(["word"] * 200)
    found = made(answered([(text, text, text)]))
    assert f"{text[:399]}…" in found["Translations"] and f"{text[:400]}" not in found["Translations"]
    assert found["Alignment"].count('class="right"') == alignments.MOST**2


@pytest.mark.parametrize(("weights", "bits"), [(np.eye(4), 0.0), (np.full((2, 4), 0.25), 2.0)])
def test_entropy_by_hand(weights: Any, bits: float) -> None:
    assert alignments.entropy(weights) == pytest.approx(bits)


def test_names_of_tokens() -> None:
    assert [alignments.name_of(token) for token in ("▁the", "##ing", "▁", ",")] == ["the", "##ing", "▁", ","]
    assert alignments.name_of("▁Donaudampfschiff") == "Donaudampfschiff"
    assert alignments.name_of("▁Donaudampfschiffe") == "Donaudampfschif…"
