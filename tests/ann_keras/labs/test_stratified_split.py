"""Rare classes in plain and stratified splits."""

from __future__ import annotations

import pytest

from ann_keras.labs import lab, stratified_split


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("stratified_split", seed=0)


@pytest.mark.slow
def test_the_claim_held(result: lab.Result) -> None:
    assert result.held
    shares = [result.numbers[f"plain test sets without any of {rare} rare examples"] for rare in stratified_split.RARE]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.25 and shares[-1] < 0.05
    assert result.numbers["stratified test sets without a rare example"] == 0


def test_absence_by_hand() -> None:
    # two of four examples are tested, one of the four is rare: it stays away in 3 of 6 pairs; two rare ones in 1 of 6
    assert stratified_split.absent(4, 1, 2) == 3 / 6
    assert stratified_split.absent(4, 2, 2) == 1 / 6
    assert stratified_split.absent(4, 3, 2) == 0
