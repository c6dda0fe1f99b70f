"""Reading the contract's ``[[features]]``; every problem is noted."""

import json
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from domain.contract.drift_limits import read_drift_limits, write_drift_limits
from domain.contract.feature import (
    DIRECTIONS,
    KINDS,
    LARGEST,
    LONGEST_CATEGORY,
    OTHER,
    Feature,
    Kind,
    may_be_new_category,
)
from domain.contract.file_format import BLANKS
from domain.contract.file_format_document import (
    COLUMN_KEYS,
    FLAG_KEYS,
    read_column_format,
    write_column_format,
)
from domain.typed_json import Json

MOST_CATEGORIES = 5_000
"""A feature with more would take a column of the model's input for each of them."""

MOST_FEATURES = 200
"""The most features of a contract; `benchmarks.tables` has measured so many."""
MOST_INPUTS = 10_000
"""Columns of the model's input: one for a number or a flag, one for each category."""
LONGEST_NAME = 100
"""Characters of a name, which becomes part of sentences, tables and mails."""

NAME_RULE = f"a name of letters, digits and underscores, {LONGEST_NAME} at most"
"""What `is_name` asks for, as part of a sentence."""

LONGEST_TEXTS = {"title": 60, "unit": 20, "description": 300}
"""The most characters of what describes a column to people."""


def read_feature(index: int, entry: Any, problems: list[str]) -> Feature:
    """Parse one entry; notes problems and returns a harmless stand-in on the way."""
    name, kind = read_name_and_kind(f"features[{index}]", entry, problems)
    where = name or f"features[{index}]"
    if kind is None:
        return Feature(name=name, kind="flag")
    wanted = {"categories"} if kind == "category" else set()
    allowed = wanted | {"name", "kind", "nullable", "drift", "title", "description"}
    allowed |= {"minimum", "maximum", "unit"} if kind == "number" else set()
    allowed |= {"other"} if kind == "category" else set()
    allowed |= FLAG_KEYS if kind == "flag" else COLUMN_KEYS
    if kind != "category":
        allowed.add("monotone")
    problems += unknown_keys(where, entry, allowed)
    problems += [f"{where}: {key} is missing" for key in sorted(wanted - set(entry))]
    nullable = entry.get("nullable", False)
    if not isinstance(nullable, bool):
        problems.append(f"{where}: nullable must be true or false")
    monotone = entry.get("monotone", "")
    if kind != "category" and not (isinstance(monotone, str) and monotone in DIRECTIONS):
        problems.append(f"{where}: monotone must be increasing or decreasing")
        monotone = ""
    usual = (-LARGEST, LARGEST) if kind == "number" else (0, 1)
    low, high = entry.get("minimum", usual[0]), entry.get("maximum", usual[1])
    if not (is_number(low) and is_number(high) and low < high):
        problems.append(f"{where}: minimum must be a number below maximum")
        low, high = 0, 1
    elif not -LARGEST <= low < high <= LARGEST:
        problems.append(f"{where}: minimum and maximum must lie within ±{LARGEST:.3g}")
    categories = _check_categories(where, entry, kind, problems)
    other = entry.get("other", False)
    if not isinstance(other, bool):
        problems.append(f"{where}: other must be true or false")
    elif other and kind == "category":
        if not all(map(may_be_new_category, categories)):
            problems.append(
                f"{where}: beside other = true a category has 1 to {LONGEST_CATEGORY} characters,"
                " no control character, and no blank at its ends"
            )
        categories = [*categories, OTHER]
    return Feature(
        name=name,
        kind=kind,
        minimum=float(low),
        maximum=float(high),
        categories=tuple(categories),
        nullable=bool(nullable),
        monotone=monotone,
        in_files=read_column_format(where, entry, problems),
        drift=read_drift_limits(where, entry.get("drift", {}), problems),
        **read_descriptions(where, entry, problems),
    )


def _check_categories(
    where: str, entry: Mapping[str, Any], kind: Kind, problems: list[str]
) -> list[str]:
    """The entry's categories; none after noting that they aren't texts."""
    categories = entry.get("categories", [])
    is_texts = isinstance(categories, list) and all(isinstance(c, str) and c for c in categories)
    if not is_texts or len(set(categories)) != len(categories):
        problems.append(f"{where}: categories must be different, non-empty texts")
        categories = []
    elif any(category != category.strip(BLANKS) for category in categories):
        problems.append(
            f"{where}: a category begins or ends with a blank or a character that nobody sees;"
            " files are read without these"
        )
    elif OTHER in categories:
        problems.append(f"{where}: {OTHER} is no category; other = true collects the rest")
    elif kind == "category" and len(categories) + (entry.get("other") is True) < 2:
        problems.append(f"{where}: at least two categories are needed")
    elif len(categories) > MOST_CATEGORIES:
        problems.append(
            f"{where}: {len(categories):,} categories are more than the {MOST_CATEGORIES:,} that a"
            " feature may have; list the frequent ones and let other = true collect the rest"
        )
    return list(categories)


def read_descriptions(where: str, entry: Mapping[str, Any], problems: list[str]) -> dict[str, str]:
    """The entry's title, unit and description, as far as it has them; notes what is wrong."""
    found = {}
    for key, longest in LONGEST_TEXTS.items():
        text = entry.get(key)
        if text is None:
            continue
        fits = isinstance(text, str) and 0 < len(text) <= longest
        if not fits or not text.isprintable() or text != text.strip():
            problems.append(
                f"{where}: {key} must be a text of 1 to {longest} printable characters, without"
                " blanks at its ends"
            )
            continue
        found[key] = text
    return found


def write_feature(feature: Feature) -> dict[str, Json]:
    """Plain data that `read_feature` takes back."""
    plain: dict[str, Json] = {"name": feature.name, "kind": feature.kind}
    if feature.kind == "category":
        plain["categories"] = list(feature.listed)
        plain |= {"other": True} if feature.collects_rest else {}
    if feature.kind == "number":
        plain |= {"minimum": feature.minimum} if feature.minimum > -LARGEST else {}
        plain |= {"maximum": feature.maximum} if feature.maximum < LARGEST else {}
    if feature.nullable:
        plain["nullable"] = True
    if feature.monotone:
        plain["monotone"] = feature.monotone
    limits: dict[str, Json] = dict(write_drift_limits(feature.drift))
    plain |= write_descriptions(
        title=feature.title, unit=feature.unit, description=feature.description
    )
    return plain | write_column_format(feature.in_files) | ({"drift": limits} if limits else {})


def write_descriptions(**texts: str) -> dict[str, Json]:
    """Those that aren't empty, as `read_descriptions` takes them back."""
    return {key: text for key, text in texts.items() if text}


def read_name_and_kind(where: str, entry: Any, problems: list[str]) -> tuple[str, Kind | None]:
    """Name and kind of an entry; an empty name or no kind after noting what is wrong with it."""
    if not isinstance(entry, Mapping):
        problems.append(f"{where} must be a table")
        return "", None
    name, kind = entry.get("name"), entry.get("kind")
    if not isinstance(name, str) or not is_name(name):
        problems.append(f"{where} needs {NAME_RULE}")
        if isinstance(name, str) and name.strip():
            written = json.dumps(name[:64], ensure_ascii=False)
            problems[-1] += (
                f", and {written} is none: if files call it that, add source = {written}"
            )
        name = ""
    if kind not in KINDS:
        problems.append(f"{name or where}: kind must be one of {', '.join(KINDS)}")
        return name, None
    return name, kind


def is_name(name: str) -> bool:
    """Whether a column may be called that, in SQL too."""
    return name.isascii() and name.isidentifier() and len(name) <= LONGEST_NAME


def find_too_many(features: Sequence[Feature]) -> list[str]:
    """Which limits the features exceed together."""
    problems = []
    if len(features) > MOST_FEATURES:
        problems.append(
            f"{len(features):,} features are more than the {MOST_FEATURES} that a contract may"
            " have; leave out those that say least"
        )
    inputs = sum(len(feature.encoded_names) for feature in features)
    if inputs > MOST_INPUTS:
        most = sorted(features, key=lambda feature: len(feature.categories))[-3:]
        named = ", ".join(f"{f.name} ({len(f.categories):,})" for f in reversed(most))
        problems.append(
            f"the features make {inputs:,} columns of the model's input, one for each category,"
            f" and {MOST_INPUTS:,} are possible; most of them come from {named}: list the frequent"
            " categories and let other = true collect the rest"
        )
    return problems


def is_number(value: object) -> bool:
    """Whether a value of TOML or JSON is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -sys.float_info.max <= value <= sys.float_info.max  # false for NaN, safe for 10**400


def unknown_keys(where: str, entry: Mapping[str, Any], known: AbstractSet[str]) -> list[str]:
    """A problem for each key of the entry that is not known."""
    return [f"{where}: unknown key {key}" for key in sorted(set(entry) - known)]
