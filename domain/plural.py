"""Nouns and verbs after a number."""

import re

_CONSONANT_AND_Y = re.compile(r"[^aeiou]y$")
_HISSING = ("s", "x", "ch", "sh")


def write_count(number: int, noun: str) -> str:
    """``1 row``, ``1,234 rows``, ``2 entries``, ``0 more files``: the last word has the number."""
    if number == 1:
        return f"1 {noun}"
    if _CONSONANT_AND_Y.search(noun):
        return f"{number:,} {noun[:-1]}ies"
    return f"{number:,} {noun}{'es' if noun.endswith(_HISSING) else 's'}"


def agree(number: int, one: str, many: str) -> str:
    """The word that fits the number: ``agree(rows, "was", "were")``."""
    return one if number == 1 else many
