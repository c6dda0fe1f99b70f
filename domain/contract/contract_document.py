"""Reading the document behind a contract: each entry checked, every problem noted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from domain.contract.context import Context
from domain.contract.context_document import find_context_clashes, read_context
from domain.contract.feature import Feature, Segment
from domain.contract.feature_document import (
    NAME_RULE,
    find_too_many,
    is_name,
    is_number,
    read_feature,
    read_name_and_kind,
    unknown_keys,
    write_feature,
)
from domain.contract.file_format import ColumnFormat, FileFormat, TrainingColumns
from domain.contract.file_format_document import (
    FLAG_KEYS,
    WEIGHT_KEY,
    find_clashes,
    read_column_format,
    read_file_format,
    read_training_columns,
    write_column_format,
    write_file_format,
)
from domain.contract.gate_document import (
    OBJECTIVE_KEYS,
    read_gate,
    read_objective,
    write_objective,
)
from domain.contract.gate_limits import GateLimits
from domain.contract.objective import Objective
from domain.contract.reserved_names import RESERVED_COLUMNS, RESERVED_FIELDS
from domain.errors import BadContract
from domain.typed_json import Json

TABLES = frozenset(
    {"target", "gate", "features", "segments", "retired", "context", "files", "split"}
)

MOST_GROUPS = 100
"""Groups of all segments together: each is tested by the gate and by every drift run."""

OTHER_TASKS = frozenset({"kind", "categories", "classes", "minimum", "maximum"})
"""Keys by which somebody would describe a target that is no question of yes or no."""


class Parts(NamedTuple):
    """The fields of a contract; see `domain.contract.contract.Contract`."""

    features: tuple[Feature, ...]
    target: str
    segments: tuple[Segment, ...]
    retired: tuple[Feature, ...]
    context: tuple[Context, ...]
    target_in_files: ColumnFormat
    files: FileFormat
    objective: Objective
    gate: GateLimits
    training_columns: TrainingColumns


def read(document: Mapping[str, Any]) -> Parts:
    """What the document says; raises BadContract naming every problem at once."""
    problems: list[str] = []
    unknown = sorted(set(document) - TABLES)
    problems += [f"unknown table [{name}]" for name in unknown]
    features = tuple(
        read_feature(index, entry, problems)
        for index, entry in enumerate(_entries(document, "features", problems))
    )
    context = _context(document, problems)
    segments = _segments(document, features, context, problems)
    retired = tuple(
        _retired(index, entry, problems)
        for index, entry in enumerate(_entries(document, "retired", problems))
    )
    target, target_in_files, objective = _target(document.get("target"), problems)
    gate = read_gate(document, problems)
    if not features:
        problems.append("at least one [[features]] entry is needed")
    problems += find_too_many(features)
    problems += _clashes(features, target, retired)
    problems += find_context_clashes(context, features, target, retired)
    training_columns = read_training_columns(document, problems)
    problems += find_clashes(features, target, target_in_files, context, training_columns)
    files = read_file_format(document, [*(f.name for f in features), target], problems)
    if problems:
        raise BadContract("The contract can't be used: " + "; ".join(problems) + ".")
    return Parts(
        features=features,
        target=target,
        segments=segments,
        retired=retired,
        context=context,
        target_in_files=target_in_files,
        files=files,
        objective=objective,
        gate=gate,
        training_columns=training_columns,
    )


def write(
    *,
    features: Sequence[Feature],
    target: str,
    segments: Sequence[Segment],
    target_in_files: ColumnFormat,
    files: FileFormat,
    objective: Objective,
) -> dict[str, Any]:
    """Plain data that `read` takes back."""
    written_files = write_file_format(files)
    return {
        **({"files": written_files} if written_files else {}),
        "target": {
            "name": target,
            **write_column_format(target_in_files),
            **write_objective(objective),
        },
        "features": [write_feature(feature) for feature in features],
        "segments": write_segments(segments),
    }


def read_deployed_context(
    document: Mapping[str, Any],
) -> tuple[tuple[Context, ...], tuple[Segment, ...], tuple[str, ...]]:
    """The tables ``context`` and ``segments``, the latter by context columns, and features' names.

    Raises BadContract.
    """
    problems: list[str] = []
    context = _context(document, problems)
    segments = _segments(document, (), context, problems)
    if problems:
        raise BadContract("The context can't be used: " + "; ".join(problems) + ".")
    return context, segments, tuple(document.get("features", ()))


def write_segments(segments: Sequence[Segment]) -> list[dict[str, Json]]:
    """Plain data that `read` takes back as ``segments``."""
    return [
        {"feature": s.feature, **({"bounds": list(s.bounds)} if s.bounds else {})} for s in segments
    ]


def _context(document: Mapping[str, Any], problems: list[str]) -> tuple[Context, ...]:
    return tuple(
        read_context(index, entry, problems)
        for index, entry in enumerate(_entries(document, "context", problems))
    )


def _segments(
    document: Mapping[str, Any],
    features: Sequence[Feature],
    context: Sequence[Context],
    problems: list[str],
) -> tuple[Segment, ...]:
    known = (*features, *(entry.values for entry in context if entry.values))
    segments = tuple(
        _segment(index, entry, known, problems)
        for index, entry in enumerate(_entries(document, "segments", problems))
    )
    named = {feature.name: feature for feature in known}
    labels = [label for s in segments if s.feature for label in s.labels(named[s.feature])]
    if len(set(labels)) < len(labels):
        problems.append("two segments have the same group")
    groups = {s.feature: len(s.labels(named[s.feature])) for s in segments if s.feature}
    if sum(groups.values()) > MOST_GROUPS:
        counted = ", ".join(f"{count:,} of {name}" for name, count in groups.items())
        problems.append(
            f"the segments have more than {MOST_GROUPS} groups together ({counted}): take another"
            " feature, or one whose rare categories are collected"
        )
    return segments


def _entries(document: Mapping[str, Any], key: str, problems: list[str]) -> Sequence[Any]:
    entries = document.get(key, [])
    if isinstance(entries, list):
        return entries
    problems.append(f"{key} must be written as [[{key}]] entries")
    return []


def _target(entry: object, problems: list[str]) -> tuple[str, ColumnFormat, Objective]:
    """The target's name, how files write it, and the objective.

    The name is empty after noting what is wrong with it.
    """
    table: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {}
    name = table.get("name")
    if not isinstance(name, str) or not is_name(name):
        problems.append(f"[target] needs {NAME_RULE}")
        name = ""
    problems += unknown_keys("[target]", table, FLAG_KEYS | OBJECTIVE_KEYS | {"name", WEIGHT_KEY})
    if OTHER_TASKS & set(table):
        problems.append(
            "[target] is true or false: regression and several classes are not part of a contract;"
            " one class against the rest is, by its words in true and false"
        )
    form = read_column_format("[target]", table, problems)
    return name, form, read_objective(table, problems)


def _retired(index: int, entry: Any, problems: list[str]) -> Feature:
    """A column that the log keeps for versions whose contract still has the feature."""
    where = f"retired[{index}]"
    name, kind = read_name_and_kind(where, entry, problems)
    if isinstance(entry, Mapping):
        problems += unknown_keys(name or where, entry, {"name", "kind"})
    return Feature(name=name, kind=kind or "flag")


def _segment(index: int, entry: Any, features: Sequence[Feature], problems: list[str]) -> Segment:
    where = f"segments[{index}]"
    if not isinstance(entry, Mapping):
        problems.append(f"{where} must be a table")
        return Segment("")
    problems += unknown_keys(where, entry, {"feature", "bounds"})
    name, bounds = entry.get("feature"), entry.get("bounds", [])
    known = {feature.name: feature for feature in features}
    if not isinstance(name, str) or name not in known:
        named = f"{name[:64]} is neither" if isinstance(name, str) and name else "none is named"
        problems.append(
            f"{where}: feature must name a feature, or a context column that is not a text; {named}"
        )
        return Segment("")
    ascending = (
        isinstance(bounds, list) and all(map(is_number, bounds)) and bounds == sorted(set(bounds))
    )
    if not ascending:
        problems.append(f"{where} of {name}: bounds must be ascending numbers")
        return Segment(name)
    if bool(bounds) != (known[name].kind == "number"):
        problems.append(f"{where} of {name}: bounds are needed for a number and only there")
    return Segment(name, tuple(float(bound) for bound in bounds))


def _clashes(features: Sequence[Feature], target: str, retired: Sequence[Feature]) -> list[str]:
    """Names that would collide once Glue has lower-cased them."""
    problems, seen = [], set(RESERVED_COLUMNS)
    for feature in (*features, *retired):
        if feature.name and feature.column in seen:
            problems.append(f"{feature.name}: the log already has a column {feature.column}")
        seen.add(feature.column)
    if target and (target in RESERVED_FIELDS or target.lower() in {f.column for f in features}):
        problems.append(f"[target] name {target} is taken")
    return problems
