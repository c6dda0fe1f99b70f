"""What to declare in the contract, judged by the values that broke it; no value is repeated."""

import math
import re
from collections.abc import Collection, Sequence

from domain.contract.feature import Feature
from domain.contract.file_format import Decimal
from domain.contract.file_values import CodedText, NumberText, parse_number

TARGET = "[target]"
SAMPLE = 1_000
"""How many bad values of a batch are looked at."""
UNMATCHED_QUOTES = "has quotes that don't match"
_RAGGED = re.compile("has ([0-9]+) fields?, and the header has ([0-9]+)")
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}([ ,.'\u00a0\u202f][0-9]{3})+([,.][0-9]+)?")


def advise(feature: Feature, bad: Sequence[object], decimal: Decimal, table: str) -> str:
    """One sentence for the bad values of one column, or nothing.

    `table`: what the contract calls the column's table, such as ``feature bmi``, or TARGET.
    """
    if feature.kind == "number":
        return _advise_number(feature, bad, decimal, table)
    texts = [value.strip() for value in bad if isinstance(value, str)]
    reader = CodedText(feature, decimal)
    words = [text for text in texts if reader.code(text) < 0]
    if all(map(reader.is_missing, words)):
        is_missing = bool(words) or None in bad
        return _allow_missing(feature) if is_missing and table != TARGET else ""
    if feature.kind == "flag":
        return f"For other words than 0 and 1, declare true = [...] and false = [...] in {table}."
    return _declare_missing(feature, table) if feature.nullable else ""


def advise_rows(reasons: Collection[str]) -> list[str]:
    """What to do about rows whose fields can't be told apart, by the reasons given for them."""
    advice = []
    if UNMATCHED_QUOTES in reasons:
        advice.append('Inside a quoted text a quote is written twice ("").')
    ragged = [map(int, found.groups()) for found in map(_RAGGED.fullmatch, reasons) if found]
    if any(fields == width + 1 for fields, width in ragged):
        advice.append(
            "If each row begins with a name or number of its own, give that column a name in the"
            " header."
        )
    return advice


def _advise_number(feature: Feature, bad: Sequence[object], decimal: Decimal, table: str) -> str:
    texts = [value.strip() for value in bad if isinstance(value, str)]
    reader = NumberText(feature, decimal)
    words = [text for text in texts if reader.number(text) is None]
    if any(_THOUSANDS.fullmatch(word) for word in words):
        advice = "Thousands separators aren't read: write numbers without them."
        if decimal == "." and all(_COMMA.fullmatch(word) for word in words):
            advice += ' If the comma is the decimal mark, declare decimal = "," under [files].'
        return advice
    if decimal == "." and any(_COMMA.fullmatch(word) for word in words):
        return 'Numbers have a decimal comma: declare decimal = "," under [files].'
    if decimal == "," and any(parse_number(word) is not None for word in words):
        return 'Numbers have a decimal point, but [files] declares decimal = ",".'
    if words:
        return _declare_missing(feature, table)
    numbers = [number for text in texts if (number := reader.number(text)) is not None]
    numbers += [value for value in bad if isinstance(value, int | float)]
    if None in bad or any(map(math.isnan, numbers)):
        return _allow_missing(feature)
    repeated = len(numbers) > 1 and len(set(numbers)) == 1
    return _declare_missing(feature, table) if repeated else ""


def _declare_missing(feature: Feature, table: str) -> str:
    allow = "" if feature.nullable else " and nullable = true"
    return (
        "If a word or number stands for a missing value, declare"
        f" missing = [...]{allow} in {table}."
    )


def _allow_missing(feature: Feature) -> str:
    return f"{feature.name} has missing values: nullable = true would allow them."
