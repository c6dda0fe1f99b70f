"""Which column of a file is which column of the contract."""

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from domain.contract.file_format import FileColumn, fold_case
from domain.contract.file_values import parse_number
from training_job.errors import BadData

NAMES_SHOWN = 12
NAME_LENGTH = 40
ALIKE = 0.8
"""Similarity of two names (`difflib`'s ratio) from which one is offered for the other."""


@dataclass(frozen=True, slots=True)
class Matched:
    """Where a file has the wanted columns.

    `positions`: by the contract's name. `absent`: names of columns that may be absent and are.
    `extra`: the file's other columns, as it writes them.
    """

    positions: Mapping[str, int]
    absent: tuple[str, ...]
    extra: tuple[str, ...]


def count_matches(header: Sequence[str], columns: Sequence[FileColumn]) -> int:
    """How many of the wanted columns the header has, clear or not."""
    return sum(bool(_candidates(header, column)) for column in columns)


def match_columns(
    header: Sequence[str], columns: Sequence[FileColumn], name: str, hint: str = ""
) -> Matched:
    """Find each wanted column by its exact name, or else without capitals, blanks and punctuation.

    `name` is how messages call the file; `hint` ends a refusal. Raises BadData with every column
    that is absent or not clear, the header that was found, and names that come near.
    """
    found = {column.name: _candidates(header, column) for column in columns}
    positions = {key: places[0] for key, places in found.items() if len(places) == 1}
    extra = [text for place, text in enumerate(header) if place not in set(positions.values())]
    near = {c.name: _near(c, extra) for c in columns if not found[c.name]}
    lacking = [c for c in columns if not found[c.name] and (c.required or near[c.name])]
    unclear = {key: places for key, places in found.items() if len(places) > 1}
    shared = len(set(positions.values())) < len(positions)
    problems = []
    if lacking or not positions:
        lacking = lacking or list(columns)
        wanted = ", ".join(column.source for column in lacking)
        problems.append(f"lacks the column{'s'[: len(lacking) > 1]} {wanted}")
    for key, places in unclear.items():
        texts = ", ".join(show_name(header[place]) for place in places)
        problems.append(f"has more than one column that may be {key} ({texts}): remove one of them")
    if shared:
        problems.append("has a column that two names of the contract fit")
    if problems:
        raise BadData(f"{name} {' and '.join(problems)}.{_found(header, columns, near)}{hint}")
    absent = tuple(column.name for column in columns if not found[column.name])
    return Matched(positions, absent, tuple(extra))


def show_name(text: str) -> str:
    """A column's name as a message may print it."""
    line = next(iter(text.strip().splitlines()), "")  # rows may follow, behind a stray quote
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return printable.strip()[:NAME_LENGTH] or "(no name)"


def holds_values(header: Sequence[str]) -> bool:
    """Whether a first line looks like a row, which no message may repeat."""
    if any(parse_number(text, ".") is not None for text in header):
        return True
    line = next(iter(header[0].splitlines()), "") if len(header) == 1 else ""
    words = re.split(r"[\s,;|\"'\[\]{}:]+", line)
    return sum(parse_number(word) is not None for word in words) > 1


def _candidates(header: Sequence[str], column: FileColumn) -> list[int]:
    """Positions of the first kind of match that there is: exact or loose, source before name."""
    for wanted in dict.fromkeys((column.source, column.name)):
        exact = [place for place, text in enumerate(header) if text == wanted]
        if exact:
            return exact
        loose = [place for place, text in enumerate(header) if loosen(text) == loosen(wanted)]
        if loose:
            return loose
    return []


@lru_cache(maxsize=50_000)
def loosen(text: str) -> str:
    """The name without capitals, blanks, punctuation and characters that nobody sees."""
    seen = "".join(
        c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf"
    )
    return re.sub(r"[\s_.\-#]+", "", fold_case(seen))


def _bare(text: str) -> str:
    """The name's letters and digits."""
    return "".join(c for c in loosen(text) if unicodedata.category(c)[0] not in "PZC")


def _near(column: FileColumn, extra: Sequence[str]) -> list[str]:
    """Names of unused columns that resemble the wanted one."""
    wanted = {_bare(column.source), _bare(column.name)}
    last = {_bare(text.rpartition(".")[2]): text for text in extra if "." in text}
    by_loose = {bare: text for bare, text in last.items() if bare in wanted}  # as in Hive's t.name
    by_loose |= {_bare(text): text for text in extra if _bare(text)}
    close = [m for w in wanted for m in difflib.get_close_matches(w, by_loose, 2, ALIKE)]
    inside = [
        text
        for text in by_loose
        for want in wanted
        if (len(want) > 2 and text.startswith(want)) or (len(text) > 4 and text in want)
    ]
    return [by_loose[key] for key in dict.fromkeys((*close, *inside))]


def _found(
    header: Sequence[str], columns: Sequence[FileColumn], near: Mapping[str, Sequence[str]]
) -> str:
    if holds_values(header):
        return " Its first line holds values instead of column names: add a header line."
    names = ", ".join(map(show_name, header[:NAMES_SHOWN]))
    more = f" and {len(header) - NAMES_SHOWN} more" if len(header) > NAMES_SHOWN else ""
    sentence = f" Its header has {names}{more}."
    offers = [
        f"{show_name(close[0])} for {column.source}"
        for column in columns
        if (close := near.get(column.name))
    ]
    if not offers or len(header) == 1:
        return sentence
    return (
        f"{sentence} Perhaps {', '.join(offers)}: rename the column, or declare its name as"
        " `source` in the contract."
    )
