"""The data contract: which features exist, what their values may be, what is predicted.

Everything that names a feature derives from it: request validation, the encoder,
OpenAPI, the columns of the prediction log, the checks of `prepare`, segments.
The text of a contract is read by entry points; this module only parses it.
"""

import hashlib
import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from domain.errors import BadContract

Kind = Literal["category", "number", "flag"]
Value = float | int | str | None
KINDS: tuple[Kind, ...] = ("category", "number", "flag")
Monotone = Literal["", "increasing", "decreasing"]
_DIRECTIONS: dict[Monotone, int] = {"": 0, "increasing": 1, "decreasing": -1}

RESERVED_COLUMNS = frozenset(
    {
        "prediction_id",
        "predicted_at",
        "model_version",
        "contract_version",
        "probability",
        "threshold",
        "predicted",
        "source",
        "sample_key",
        "dt",
        "instances",
    }
)
"""Names that no feature may take: the log's own columns, and what wraps a batch."""

RESERVED_FIELDS = frozenset(
    {
        "prediction_id",
        "probability",
        "threshold",
        "model_version",
        "explanation",
        "observed_at",
        "labels",
    }
)
"""Fields of an answer or a label, or around labels, that the target may not take."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One bad field: where it is (RFC 6901 pointer fragment) and what is wanted there.

    `detail` never contains the value that was sent.
    """

    pointer: str
    detail: str
    field: str = ""
    """The contract's name of the field; empty when the contract doesn't know it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One input column."""

    name: str
    kind: Kind
    minimum: float = 0.0
    maximum: float = 1.0
    categories: tuple[str, ...] = ()
    nullable: bool = False
    monotone: Monotone = ""
    """The only direction in which the probability may follow the value; empty for any."""

    @property
    def column(self) -> str:
        """Its name in Glue, Athena and Parquet, which know only lower case."""
        return self.name.lower()

    @property
    def encoded_names(self) -> tuple[str, ...]:
        """Names of the encoder's columns for this feature, in order."""
        if self.kind == "category":
            return tuple(f"{self.name}={category}" for category in self.categories)
        return (self.name,)

    @property
    def expectation(self) -> str:
        """What a valid value is, as the end of a sentence."""
        match self.kind:
            case "category":
                return "must be one of: " + ", ".join(self.categories)
            case "flag":
                return "must be 0 or 1"
            case "number":
                return f"must be a number from {self.minimum:g} to {self.maximum:g}"

    def accepts(self, value: object) -> bool:
        """Whether a decoded JSON value (None included) is valid for this feature."""
        if value is None:
            return self.nullable
        if self.kind == "category":
            return isinstance(value, str) and value in self.categories
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind == "flag":
            return value in (0, 1)
        return self.minimum <= value <= self.maximum  # false for NaN too

    def cast(self, value: Value) -> Value:
        """A valid value in its column's own type."""
        if value is None or self.kind == "category":
            return value
        return int(value) if self.kind == "flag" else float(value)


@dataclass(frozen=True, slots=True)
class Segment:
    """A grouping of rows by one feature: its categories, or bands between `bounds`."""

    feature: str
    bounds: tuple[float, ...] = ()

    def labels(self, feature: Feature) -> tuple[str, ...]:
        """Names of the groups, in order, e.g. ``("age<30", "age 30-50", "age>=50")``."""
        if not self.bounds:
            groups = feature.categories if feature.kind == "category" else ("0", "1")
            return tuple(f"{self.feature}={group}" for group in groups)
        middle = (
            f"{self.feature} {low:g}-{high:g}"
            for low, high in zip(self.bounds, self.bounds[1:], strict=False)
        )
        return (
            f"{self.feature}<{self.bounds[0]:g}",
            *middle,
            f"{self.feature}>={self.bounds[-1]:g}",
        )


@dataclass(frozen=True)
class Contract:
    """Features in order, the target's name, and the segments judged separately."""

    features: tuple[Feature, ...]
    target: str
    segments: tuple[Segment, ...] = field(default=())

    @classmethod
    def parse(cls, text: str) -> "Contract":
        """Read a contract from TOML; raises BadContract naming every problem at once."""
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise BadContract(f"The contract is not valid TOML: {error}.") from None
        return cls.from_dict(document)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Contract":
        """The inverse of `to_dict`; raises BadContract naming every problem at once."""
        problems: list[str] = []
        unknown = sorted(set(document) - {"target", "features", "segments"})
        problems += [f"unknown table [{name}]" for name in unknown]
        features = tuple(
            _feature(index, entry, problems)
            for index, entry in enumerate(_entries(document, "features", problems))
        )
        segments = tuple(
            _segment(index, entry, features, problems)
            for index, entry in enumerate(_entries(document, "segments", problems))
        )
        target = document.get("target")
        name = target.get("name") if isinstance(target, Mapping) else None
        if not isinstance(name, str) or not _is_name(name):
            problems.append("[target] needs a name of letters, digits and underscores")
            name = ""
        if not features:
            problems.append("at least one [[features]] entry is needed")
        problems += _clashes(features, name)
        if problems:
            raise BadContract("The contract can't be used: " + "; ".join(problems) + ".")
        return cls(features=features, target=name, segments=segments)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `from_dict` reads back to an equal contract."""
        return {
            "target": {"name": self.target},
            "features": [_plain(feature) for feature in self.features],
            "segments": [
                {"feature": s.feature, **({"bounds": list(s.bounds)} if s.bounds else {})}
                for s in self.segments
            ],
        }

    @cached_property
    def version(self) -> str:
        """Hash of names, order, kinds, ranges, categories, nullability and target only."""
        identity = {
            "features": [
                {k: v for k, v in asdict(feature).items() if k != "monotone"}
                for feature in self.features
            ],
            "target": self.target,
        }
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def names(self) -> frozenset[str]:
        """The features' names."""
        return frozenset(feature.name for feature in self.features)

    @cached_property
    def encoded_names(self) -> tuple[str, ...]:
        """Names of the encoder's columns, in order."""
        return tuple(name for f in self.features for name in f.encoded_names)

    @cached_property
    def monotone(self) -> tuple[int, ...]:
        """Per encoded column 1 (increasing), -1 (decreasing) or 0, as XGBoost wants them."""
        return tuple(_DIRECTIONS[f.monotone] for f in self.features for _ in f.encoded_names)

    def feature(self, name: str) -> Feature:
        """The feature of that name; raises KeyError."""
        for feature in self.features:
            if feature.name == name:
                return feature
        raise KeyError(name)

    def log_columns(self) -> dict[str, str]:
        """Glue column name → Glue type of each feature, in order."""
        types = {"category": "string", "number": "double", "flag": "bigint"}
        return {feature.column: types[feature.kind] for feature in self.features}

    def validate(self, instance: object, at: str = "#") -> list[FieldProblem]:
        """Every problem of one decoded JSON instance; an empty list means valid."""
        if not isinstance(instance, dict):
            return [FieldProblem(at, "must be an object with the features as fields")]
        problems = [
            FieldProblem(f"{at}/{pointer_token(name)}", "is not a feature")
            for name in instance
            if name not in self.names
        ]
        for feature in self.features:
            value = instance.get(feature.name)
            if not feature.accepts(value):
                missing = value is None and feature.name not in instance
                detail = (
                    "is required and " + feature.expectation if missing else feature.expectation
                )
                problems.append(
                    FieldProblem(f"{at}/{pointer_token(feature.name)}", detail, feature.name)
                )
        return problems

    def row(self, instance: Mapping[str, Any]) -> tuple[Value, ...]:
        """The values of a valid instance in the contract's order, None for missing.

        JSON knows one kind of number, the log two: numbers become float, flags int.
        """
        return tuple(feature.cast(instance.get(feature.name)) for feature in self.features)


def pointer_token(name: str) -> str:
    """One reference token of RFC 6901, cut to a bearable length."""
    return name[:64].replace("~", "~0").replace("/", "~1")


def _is_name(name: str) -> bool:
    return name.isascii() and name.isidentifier()


def _entries(document: Mapping[str, Any], key: str, problems: list[str]) -> Sequence[Any]:
    entries = document.get(key, [])
    if isinstance(entries, list):
        return entries
    problems.append(f"{key} must be written as [[{key}]] entries")
    return []


def _number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -sys.float_info.max <= value <= sys.float_info.max  # false for NaN, safe for 10**400


def _feature(index: int, entry: Any, problems: list[str]) -> Feature:
    """Parse one entry; notes problems and returns a harmless stand-in on the way."""
    where = f"features[{index}]"
    if not isinstance(entry, Mapping):
        problems.append(f"{where} must be a table")
        return Feature(name="", kind="flag")
    name, kind = entry.get("name"), entry.get("kind")
    if not isinstance(name, str) or not _is_name(name):
        problems.append(f"{where} needs a name of letters, digits and underscores")
        name = ""
    where = name or where
    if kind not in KINDS:
        problems.append(f"{where}: kind must be one of {', '.join(KINDS)}")
        return Feature(name=name, kind="flag")
    wanted = {"category": {"categories"}, "number": {"minimum", "maximum"}, "flag": set()}[kind]
    allowed = wanted | {"name", "kind", "nullable"}
    if kind != "category":
        allowed.add("monotone")
    problems += [f"{where}: unknown key {key}" for key in sorted(set(entry) - allowed)]
    problems += [f"{where}: {key} is missing" for key in sorted(wanted - set(entry))]
    nullable = entry.get("nullable", False)
    if not isinstance(nullable, bool):
        problems.append(f"{where}: nullable must be true or false")
    monotone = entry.get("monotone", "")
    if kind != "category" and monotone not in _DIRECTIONS:
        problems.append(f"{where}: monotone must be increasing or decreasing")
        monotone = ""
    low, high, categories = (
        entry.get("minimum", 0),
        entry.get("maximum", 1),
        entry.get("categories", []),
    )
    if not (_number(low) and _number(high) and low < high):
        problems.append(f"{where}: minimum must be a number below maximum")
        low, high = 0, 1
    is_texts = isinstance(categories, list) and all(isinstance(c, str) and c for c in categories)
    if not is_texts or len(set(categories)) != len(categories):
        problems.append(f"{where}: categories must be different, non-empty texts")
        categories = []
    elif kind == "category" and len(categories) < 2:
        problems.append(f"{where}: at least two categories are needed")
    return Feature(
        name=name,
        kind=kind,
        minimum=float(low),
        maximum=float(high),
        categories=tuple(categories),
        nullable=bool(nullable),
        monotone=monotone,
    )


def _segment(index: int, entry: Any, features: Sequence[Feature], problems: list[str]) -> Segment:
    where = f"segments[{index}]"
    if not isinstance(entry, Mapping) or set(entry) - {"feature", "bounds"}:
        problems.append(f"{where} takes feature and bounds")
        return Segment("")
    name, bounds = entry.get("feature"), entry.get("bounds", [])
    known = {feature.name: feature for feature in features}
    if name not in known:
        problems.append(f"{where}: feature must name a feature")
        return Segment("")
    ascending = (
        isinstance(bounds, list) and all(map(_number, bounds)) and bounds == sorted(set(bounds))
    )
    if not ascending:
        problems.append(f"{where}: bounds must be ascending numbers")
        return Segment(name)
    if bool(bounds) != (known[name].kind == "number"):
        problems.append(f"{where}: bounds are needed for a number and only there")
    return Segment(name, tuple(float(bound) for bound in bounds))


def _clashes(features: Sequence[Feature], target: str) -> list[str]:
    """Names that would collide once Glue has lower-cased them."""
    problems, seen = [], set(RESERVED_COLUMNS)
    for feature in features:
        if feature.name and feature.column in seen:
            problems.append(f"{feature.name}: the log already has a column {feature.column}")
        seen.add(feature.column)
    if target and (target in RESERVED_FIELDS or target.lower() in {f.column for f in features}):
        problems.append(f"[target] name {target} is taken")
    return problems


def _plain(feature: Feature) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": feature.name, "kind": feature.kind}
    if feature.kind == "category":
        plain["categories"] = list(feature.categories)
    if feature.kind == "number":
        plain |= {"minimum": feature.minimum, "maximum": feature.maximum}
    if feature.nullable:
        plain["nullable"] = True
    if feature.monotone:
        plain["monotone"] = feature.monotone
    return plain
