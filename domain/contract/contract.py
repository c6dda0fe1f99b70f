"""The data contract: which features exist, what their values may be, what is predicted.

Everything that names a feature derives from it: request validation, the encoder,
OpenAPI, the columns of the prediction log, the checks of `prepare`, segments.
The text of a contract is read by entry points; this module only parses it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from domain.contract import contract_document
from domain.contract.context import CONTEXT, LOGGED_ROLES, Context, RequestContext, Role
from domain.contract.feature import COLUMN_TYPES, DIRECTIONS, Feature, Segment, SegmentGroups, Value
from domain.contract.field_problem import FieldProblem, pointer_token
from domain.contract.file_format import ColumnFormat, FileColumn, FileFormat, TrainingColumns
from domain.contract.gate_limits import GateLimits
from domain.contract.objective import Objective
from domain.errors import BadContract

NO_CONTEXT = RequestContext()
UNSCORED = frozenset({"monotone", "in_files", "drift", "title", "unit", "description"})
"""Fields of a feature that don't change what a row means, and so not the contract's version."""


@dataclass(frozen=True)
class Contract:
    """Features in order, the target's name, and the segments judged separately.

    `retired`: features of earlier contracts, of which only name and kind are left. The log's table
    keeps their columns, for a champion that still answers by its own contract; nothing else knows
    them, and no bundle carries them.

    `context`: columns that are logged with a prediction or identify a training row. They are never
    scored, and no bundle carries them, nor the segments that they define.

    `ignored`: names that a request may have, and that are neither scored nor logged: features of
    the deployed contract, or retired ones, that the model which serves doesn't know. No bundle
    carries them.

    `gate`: limits that hold for the next challenger, whatever a bundle was judged by; no bundle
    carries them either. Nor the `training_columns`, which training files have beside these.
    """

    features: tuple[Feature, ...]
    target: str
    segments: tuple[Segment, ...] = field(default=())
    retired: tuple[Feature, ...] = field(default=(), compare=False)
    context: tuple[Context, ...] = field(default=(), compare=False)
    target_in_files: ColumnFormat = field(default_factory=ColumnFormat)
    files: FileFormat = field(default_factory=FileFormat)
    objective: Objective = field(default_factory=Objective)
    gate: GateLimits = field(default_factory=GateLimits, compare=False)
    ignored: frozenset[str] = field(default=frozenset(), compare=False)
    training_columns: TrainingColumns = field(default_factory=TrainingColumns, compare=False)

    @classmethod
    def parse(cls, text: str) -> "Contract":
        """Read a contract from TOML; raises BadContract naming every problem at once."""
        import tomllib  # here, because the predictor starts without it

        try:
            document = tomllib.loads(text.removeprefix("\ufeff"))
        except (ValueError, RecursionError) as error:  # a number may be too long, lists too deep
            raise BadContract(f"The contract is not valid TOML: {error}.") from None
        return cls.from_dict(document)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Contract":
        """The inverse of `to_dict`; raises BadContract naming every problem at once."""
        return cls(**contract_document.read(document)._asdict())

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `from_dict` reads back to an equal contract."""
        own = tuple(segment for segment in self.segments if segment.feature in self.names)
        return contract_document.write(
            features=self.features,
            target=self.target,
            segments=own,
            target_in_files=self.target_in_files,
            files=self.files,
            objective=self.objective,
        )

    @cached_property
    def version(self) -> str:
        """Hash of names, order, kinds, ranges, categories, nullability and target only."""
        identity = {
            "features": [
                {k: v for k, v in asdict(feature).items() if k not in UNSCORED}
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
        return tuple(DIRECTIONS[f.monotone] for f in self.features for _ in f.encoded_names)

    def feature(self, name: str) -> Feature:
        """The feature of that name; raises KeyError."""
        for feature in self.features:
            if feature.name == name:
                return feature
        raise KeyError(name)

    @cached_property
    def segment_context(self) -> tuple[Feature, ...]:
        """The rules for the context columns that define segments."""
        named = {segment.feature for segment in self.segments}
        return tuple(e.values for e in self.context if e.values and e.name in named)

    @property
    def segment_groups(self) -> tuple[SegmentGroups, ...]:
        """Every segment with its feature, or context column, and the names of its groups."""
        known = {feature.name: feature for feature in (*self.features, *self.segment_context)}
        pairs = ((segment, known[segment.feature]) for segment in self.segments)
        return tuple(SegmentGroups(s, feature, s.labels(feature)) for s, feature in pairs)

    def context_column(self, role: Role) -> str | None:
        """Name of the context column with that role, if the contract has one."""
        return next((entry.name for entry in self.context if entry.role == role), None)

    def file_columns(self, *, labelled: bool) -> tuple[FileColumn, ...]:
        """The columns of a file that is scored or, if `labelled`, trained on."""
        columns = [
            FileColumn(f.name, f.in_files.source or f.name, required=not f.nullable)
            for f in self.features
        ]
        if labelled:
            source = self.target_in_files.source or self.target
            columns.append(FileColumn(self.target, source, required=True))
            only = self.training_columns.names
            columns += [FileColumn(name, name, required=True) for name in only]
        return (*columns, *self._context_in_files(labelled))

    def _context_in_files(self, labelled: bool) -> list[FileColumn]:
        """Those that are read of a training file, or logged with a scored one.

        Columns that define segments may be absent from training files.
        """
        if labelled:
            grouping = {feature.name for feature in self.segment_context}
            read = [*self.identifying_context, *(e for e in self.context if e.name in grouping)]
        else:
            grouping, read = set(), [*self.request_context.columns]
        return [
            FileColumn(
                e.name,
                e.in_files.source or e.name,
                required=not e.nullable and e.name not in grouping,
            )
            for e in read
        ]

    @property
    def identifying_context(self) -> tuple[Context, ...]:
        """The columns that tell the rows and people of training files apart."""
        return tuple(entry for entry in self.context if entry.role in ("row_id", "subject"))

    def log_columns(self) -> dict[str, str]:
        """Glue column name → Glue type of each feature, in order."""
        return {feature.column: COLUMN_TYPES[feature.kind] for feature in self.features}

    @cached_property
    def request_context(self) -> RequestContext:
        """The context columns that requests carry and the log keeps."""
        return RequestContext.of(self.context)

    def context_columns(self) -> dict[str, str]:
        """Glue column name → Glue type of each context column that the log names by itself."""
        logged = (entry for entry in self.request_context.columns if entry.role not in LOGGED_ROLES)
        return {entry.column: entry.column_type for entry in logged}

    def retired_columns(self) -> dict[str, str]:
        """The same of each retired feature."""
        return {feature.column: COLUMN_TYPES[feature.kind] for feature in self.retired}

    def lost_columns(self, older: "Contract") -> list[str]:
        """The older contract's columns that this one's log lacks, or has in another type."""
        kept = self.log_columns() | self.retired_columns()
        return [name for name, kind in older.log_columns().items() if kept.get(name) != kind]

    def validate(
        self, instance: object, at: str = "#", context: RequestContext = NO_CONTEXT
    ) -> list[FieldProblem]:
        """Every problem of one decoded JSON instance; an empty list means valid.

        `context`: the context columns that it carries; none unless they are given.
        """
        if not isinstance(instance, dict):
            return [FieldProblem(at, "must be an object with the features as fields")]
        problems = [
            FieldProblem(f"{at}/{pointer_token(name)}", "is not a feature")
            for name in instance
            if name not in self.names
            and name not in self.ignored
            and not (context and name == CONTEXT)
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
        return problems + context.validate(instance, at) if context else problems

    def row(self, instance: Mapping[str, Any]) -> tuple[Value, ...]:
        """The values of a valid instance in the contract's order, None for missing.

        JSON knows one kind of number, the log two: numbers become float, flags int.
        """
        return tuple(feature.cast(instance.get(feature.name)) for feature in self.features)
