"""Dates as people write them in eight languages, each of which can be read in one way alone.

The names are those of the Unicode CLDR; months stand in the case that a day before them asks for (Polish: genitive).
A form is a template of these fields: `d`, `m` day and month without, `dd`, `mm` with a leading zero; `yyyy`, `yy`;
`month`, `mon`, `weekday`, `wday` names and their short forms; `nth` the day as the language numbers it (3rd, 3., 1er);
`word` the day in words; `roman` the month in Roman numerals.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

YY_YEARS = range(1950, 2050)
"""What a year of two digits is one of (RFC 5280, section 4.1.2.5.1)."""

ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")


def _names(words: str) -> tuple[str, ...]:
    return tuple(words.split())


DAY_WORDS = _names(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth"
    " sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third twenty-fourth"
    " twenty-fifth twenty-sixth twenty-seventh twenty-eighth twenty-ninth thirtieth thirty-first"
)


@dataclass(frozen=True)
class Language:
    """How a language writes dates.

    Attributes:
        code: of ISO 639-1, or "" for digits alone.
        forms: templates.
        months, short_months: 12 names each; weekdays, short_weekdays: 7, from Monday.
        every, first: how the number of a day ends, and that of the first.
    """

    code: str
    forms: tuple[str, ...]
    months: tuple[str, ...] = ("",) * 12
    short_months: tuple[str, ...] = ("",) * 12
    weekdays: tuple[str, ...] = ("",) * 7
    short_weekdays: tuple[str, ...] = ("",) * 7
    every: str = ""
    first: str = ""

    def nth(self, day: int) -> str:
        """The number of a day of the month: "3rd", "3." or "1er"."""
        if self.code == "en":
            return f"{day}{'th' if 11 <= day <= 13 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"
        return f"{day}{self.first if day == 1 and self.first else self.every}"


@dataclass(frozen=True)
class Form:
    """One way to write a date."""

    language: Language
    template: str

    def fits(self, date: datetime.date) -> bool:
        """Whether the date, so written, can be read in one way alone.

        A year of two digits is one of `YY_YEARS`. Between slashes, without a word that tells the language, the day
        comes first or second: it must be above 12, or the month's number too.
        """
        if "{yy}" in self.template and date.year not in YY_YEARS:
            return False
        return self.template not in EITHER_ORDER or date.day > 12 or date.day == date.month

    def write(self, date: datetime.date) -> str:
        """The date in this form."""
        language, month, weekday = self.language, date.month - 1, date.weekday()
        return self.template.format(
            d=date.day,
            dd=f"{date.day:02d}",
            m=date.month,
            mm=f"{date.month:02d}",
            yyyy=date.year,
            yy=f"{date.year % 100:02d}",
            month=language.months[month],
            mon=language.short_months[month],
            weekday=language.weekdays[weekday],
            wday=language.short_weekdays[weekday],
            nth=language.nth(date.day),
            word=DAY_WORDS[date.day - 1],
            roman=ROMAN[month],
        )


EITHER_ORDER = frozenset(("{dd}/{mm}/{yyyy}", "{mm}/{dd}/{yyyy}", "{d}/{m}/{yyyy}", "{m}/{d}/{yyyy}"))

DIGITS = Language(
    "",
    (
        *sorted(EITHER_ORDER),
        "{yyyy}-{mm}-{dd}",
        "{yyyy}/{mm}/{dd}",
        "{yyyy}/{m}/{d}",
        "{yyyy}.{mm}.{dd}",
        "{yyyy}{mm}{dd}",
        "{dd}.{mm}.{yyyy}",
    ),
)

ENGLISH = Language(
    "en",
    (
        "{month} {d}, {yyyy}",
        "{d} {month} {yyyy}",
        "{month} {nth}, {yyyy}",
        "{nth} {month} {yyyy}",
        "{nth} of {month}, {yyyy}",
        "the {nth} of {month} {yyyy}",
        "the {word} of {month} {yyyy}",
        "{month} the {nth}, {yyyy}",
        "{weekday}, {month} {d}, {yyyy}",
        "{weekday} {d} {month} {yyyy}",
        "{weekday}, the {nth} of {month} {yyyy}",
        "{mon} {d}, {yyyy}",
        "{d} {mon} {yyyy}",
        "{dd}-{mon}-{yyyy}",
        "{yyyy}-{mon}-{dd}",
        "{wday}, {dd} {mon} {yyyy}",
        "{wday} {mon} {d} {yyyy}",
        "{d} {mon} '{yy}",
        "{month} {d}, '{yy}",
    ),
    _names("January February March April May June July August September October November December"),
    _names("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"),
    _names("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    _names("Mon Tue Wed Thu Fri Sat Sun"),
)

GERMAN = Language(
    "de",
    (
        "{nth} {month} {yyyy}",
        "{weekday}, {nth} {month} {yyyy}",
        "{weekday}, den {nth} {month} {yyyy}",
        "am {nth} {month} {yyyy}",
        "der {nth} {month} {yyyy}",
        "{nth} {mon} {yyyy}",
        "{wday}, {nth} {mon} {yyyy}",
        "{wday} {dd}.{mm}.{yyyy}",
        "den {d}.{m}.{yyyy}",
        "am {d}.{m}.{yy}",
        "{d}. {m}. {yyyy}",
    ),
    _names("Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
    _names("Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez."),
    _names("Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag"),
    _names("Mo. Di. Mi. Do. Fr. Sa. So."),
    every=".",
)

FRENCH = Language(
    "fr",
    (
        "{nth} {month} {yyyy}",
        "le {nth} {month} {yyyy}",
        "{weekday} {nth} {month} {yyyy}",
        "le {weekday} {nth} {month} {yyyy}",
        "{nth} {mon} {yyyy}",
        "{wday} {nth} {mon} {yyyy}",
        "le {dd}/{mm}/{yyyy}",
        "le {dd}/{mm}/{yy}",
    ),
    _names("janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
    _names("janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc."),
    _names("lundi mardi mercredi jeudi vendredi samedi dimanche"),
    _names("lun. mar. mer. jeu. ven. sam. dim."),
    first="er",
)

SPANISH = Language(
    "es",
    (
        "{d} de {month} de {yyyy}",
        "el {d} de {month} de {yyyy}",
        "{weekday}, {d} de {month} de {yyyy}",
        "el {weekday} {d} de {month} de {yyyy}",
        "{d} {mon} {yyyy}",
        "{wday}, {d} {mon} {yyyy}",
        "el {d}/{m}/{yyyy}",
    ),
    _names("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
    _names("ene feb mar abr may jun jul ago sept oct nov dic"),
    _names("lunes martes miércoles jueves viernes sábado domingo"),
    _names("lun mar mié jue vie sáb dom"),
)

ITALIAN = Language(
    "it",
    (
        "{nth} {month} {yyyy}",
        "il {nth} {month} {yyyy}",
        "{weekday} {nth} {month} {yyyy}",
        "{d} {mon} {yyyy}",
        "{wday} {d} {mon} {yyyy}",
        "il {dd}/{mm}/{yyyy}",
    ),
    _names("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"),
    _names("gen feb mar apr mag giu lug ago set ott nov dic"),
    _names("lunedì martedì mercoledì giovedì venerdì sabato domenica"),
    _names("lun mar mer gio ven sab dom"),
    first="º",
)

PORTUGUESE = Language(
    "pt",
    (
        "{nth} de {month} de {yyyy}",
        "em {nth} de {month} de {yyyy}",
        "{weekday}, {nth} de {month} de {yyyy}",
        "{d} de {mon} de {yyyy}",
        "{wday}, {d} de {mon} de {yyyy}",
        "em {dd}/{mm}/{yyyy}",
    ),
    _names("janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"),
    _names("jan. fev. mar. abr. mai. jun. jul. ago. set. out. nov. dez."),
    _names("segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo"),
    _names("seg. ter. qua. qui. sex. sáb. dom."),
    first="º",
)

DUTCH = Language(
    "nl",
    (
        "{d} {month} {yyyy}",
        "op {d} {month} {yyyy}",
        "{weekday} {d} {month} {yyyy}",
        "op {weekday} {d} {month} {yyyy}",
        "{d} {mon} {yyyy}",
        "{wday} {d} {mon} {yyyy}",
        "op {dd}-{mm}-{yyyy}",
    ),
    _names("januari februari maart april mei juni juli augustus september oktober november december"),
    _names("jan feb mrt apr mei jun jul aug sep okt nov dec"),
    _names("maandag dinsdag woensdag donderdag vrijdag zaterdag zondag"),
    _names("ma di wo do vr za zo"),
)

POLISH = Language(
    "pl",
    (
        "{d} {month} {yyyy}",
        "{d} {month} {yyyy} r.",
        "dnia {d} {month} {yyyy} roku",
        "{weekday}, {d} {month} {yyyy}",
        "{d} {mon} {yyyy}",
        "{wday}, {d} {mon} {yyyy}",
        "{d} {roman} {yyyy}",
        "dnia {dd}.{mm}.{yyyy} r.",
    ),
    _names("stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia"),
    _names("sty lut mar kwi maj cze lip sie wrz paź lis gru"),
    _names("poniedziałek wtorek środa czwartek piątek sobota niedziela"),
    _names("pon. wt. śr. czw. pt. sob. niedz."),
)

LANGUAGES = (DIGITS, ENGLISH, GERMAN, FRENCH, SPANISH, ITALIAN, PORTUGUESE, DUTCH, POLISH)

FORMS = tuple(tuple(Form(language, template) for template in language.forms) for language in LANGUAGES)
"""The forms of each language."""
