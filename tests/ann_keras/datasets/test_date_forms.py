"""Dates in words: what is written by hand, and that nothing can be read in two ways."""

from __future__ import annotations

import datetime
import itertools

import pytest

from ann_keras.datasets.date_forms import FORMS, LANGUAGES, YY_YEARS, Form

THIRD, FIRST = datetime.date(2021, 3, 3), datetime.date(1999, 10, 1)
BY_CODE = {language.code: language for language in LANGUAGES}


@pytest.mark.parametrize(
    ("code", "template", "third", "first"),
    [
        ("en", "the {nth} of {month} {yyyy}", "the 3rd of March 2021", "the 1st of October 1999"),
        ("en", "{weekday}, {month} {d}, {yyyy}", "Wednesday, March 3, 2021", "Friday, October 1, 1999"),
        ("en", "the {word} of {month} {yyyy}", "the third of March 2021", "the first of October 1999"),
        ("en", "{d} {mon} '{yy}", "3 Mar '21", "1 Oct '99"),
        ("de", "{weekday}, den {nth} {month} {yyyy}", "Mittwoch, den 3. März 2021", "Freitag, den 1. Oktober 1999"),
        ("de", "am {d}.{m}.{yy}", "am 3.3.21", "am 1.10.99"),
        ("fr", "le {weekday} {nth} {month} {yyyy}", "le mercredi 3 mars 2021", "le vendredi 1er octobre 1999"),
        ("es", "{weekday}, {d} de {month} de {yyyy}", "miércoles, 3 de marzo de 2021", "viernes, 1 de octubre de 1999"),
        ("it", "{weekday} {nth} {month} {yyyy}", "mercoledì 3 marzo 2021", "venerdì 1º ottobre 1999"),
        ("pt", "{weekday}, {nth} de {month} de {yyyy}", "quarta-feira, 3 de março de 2021", None),
        ("pt", "{nth} de {month} de {yyyy}", "3 de março de 2021", "1º de outubro de 1999"),
        ("nl", "op {weekday} {d} {month} {yyyy}", "op woensdag 3 maart 2021", "op vrijdag 1 oktober 1999"),
        ("nl", "op {dd}-{mm}-{yyyy}", "op 03-03-2021", "op 01-10-1999"),
        ("pl", "dnia {d} {month} {yyyy} roku", "dnia 3 marca 2021 roku", "dnia 1 października 1999 roku"),
        ("pl", "{d} {roman} {yyyy}", "3 III 2021", "1 X 1999"),
        ("", "{yyyy}-{mm}-{dd}", "2021-03-03", "1999-10-01"),
    ],
)
def test_by_hand(code: str, template: str, third: str, first: str | None) -> None:
    assert template in BY_CODE[code].forms
    form = Form(BY_CODE[code], template)
    assert form.write(THIRD) == third
    assert first is None or form.write(FIRST) == first


def test_english_ordinals() -> None:
    found = [BY_CODE["en"].nth(day) for day in (1, 2, 3, 4, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31)]
    assert " ".join(found) == "1st 2nd 3rd 4th 10th 11th 12th 13th 20th 21st 22nd 23rd 30th 31st"


def test_names_are_whole_and_distinct() -> None:
    for language in LANGUAGES[1:]:
        for names, count in ((language.months, 12), (language.weekdays, 7)):
            assert len(set(names)) == len(names) == count
        for names, count in ((language.short_months, 12), (language.short_weekdays, 7)):
            assert len(set(names)) == len(names) == count
        assert len(set(language.forms)) == len(language.forms)


def test_slashes_need_a_word_or_a_day_above_12() -> None:
    slashes = Form(BY_CODE[""], "{dd}/{mm}/{yyyy}")
    assert not slashes.fits(datetime.date(2021, 3, 4))
    assert slashes.fits(datetime.date(2021, 3, 13)) and slashes.fits(THIRD)
    assert Form(BY_CODE["fr"], "le {dd}/{mm}/{yyyy}").fits(datetime.date(2021, 3, 4))


def test_two_digits_of_a_year_are_one_of_a_hundred_years() -> None:
    short = Form(BY_CODE["en"], "{d} {mon} '{yy}")
    assert [short.fits(datetime.date(year, 3, 3)) for year in (1949, 1950, 2049, 2050)] == [False, True, True, False]
    assert len(YY_YEARS) == 100


def test_no_source_can_be_read_in_two_ways() -> None:
    # Their last digits could be taken for a day or a month.
    days = [datetime.date(year, 1, 1) + datetime.timedelta(day) for year in (1912, 2012) for day in range(365)]
    read: dict[str, datetime.date] = {}
    for form, day in itertools.product(itertools.chain(*FORMS), days):
        if form.fits(day):
            source = form.write(day).lower()
            assert read.setdefault(source, day) == day, f"{source}: {day} or {read[source]}"
