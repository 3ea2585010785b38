"""The judge of answers under version swaps."""

import json

import pytest

from benchmarks import serving_swaps
from benchmarks.serving import swapping
from benchmarks.serving.swapping import DIFFERENT, Run, Swap, plus_of, wrong_runs

SWAPS = [Swap(1, 0.0, 0.0), Swap(2, 10.0, 12.0), Swap(3, 20.0, 21.0)]


@pytest.mark.parametrize(
    ("version", "first_received", "last_sent", "right"),
    [
        (1, 1.0, 11.9, True),
        (1, 1.0, 12.1, False),  # asked for when version 2 was AVAILABLE
        (2, 10.1, 11.0, True),  # it may serve before it is seen to
        (2, 9.9, 11.0, False),  # it was not there
        (3, 25.0, 99.0, True),
        (4, 25.0, 26.0, False),
        (1 + DIFFERENT, 25.0, 26.0, False),  # the answer of version 1, long gone
    ],
)
def test_an_answer_is_right_while_its_version_is_live(
    version: int, first_received: float, last_sent: float, right: bool
) -> None:
    wrong = wrong_runs([Run(plus_of(version), first_received, last_sent, 3)], SWAPS)
    assert not wrong if right else "3 answers" in wrong[0]


def test_answers_come_and_go_between_two_versions() -> None:
    runs = [
        Run(plus_of(1), 1.0, 10.5),
        Run(plus_of(2), 10.6, 10.7),
        Run(plus_of(1), 10.8, 11.5),
        Run(plus_of(2), 11.6, 15.0),
    ]
    assert wrong_runs(runs, SWAPS) == []


def test_notes_join_equal_answers_and_reject_what_no_version_gives() -> None:
    notes = swapping.Notes()
    for value in (5.0, 5.0, 6.0, 6.25):
        notes.add(value, sent=1.0)
    assert [(run.plus, run.answers) for run in notes.runs] == [(2, 2), (3, 1)]
    assert dict(notes.failed) == {"the answer 6.25": 1}


def test_notes_are_read_back() -> None:
    client = {"runs": [[2, 1.0, 2.0, 7]], "failed": {"HTTP 500": 1}}
    runs, failed, slowest = swapping.parse_notes(json.dumps({"clients": [client, client], "slowest": "s"}))
    assert runs == [[Run(2, 1.0, 2.0, 7)]] * 2
    assert failed == {"HTTP 500": 2}
    assert slowest == "s"


def test_growth_is_that_after_the_first_minute() -> None:
    samples = [(0.0, 10.0), (30.0, 50.0), (60.0, 100.0), (90.0, 400.0), *((100.0 + i, 104.0) for i in range(18))]
    assert serving_swaps.growth(samples, 60.0) == 1.04
    with pytest.raises(ValueError, match="no sample after 600 s"):
        serving_swaps.growth(samples, 600.0)
