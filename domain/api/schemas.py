"""JSON Schemas of the API's bodies, derived from a contract."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from domain.api.requests import MAXIMUM_ENTRIES
from domain.contract.context import CONTEXT, TEXT_PATTERN, Context, Role
from domain.contract.contract import Contract
from domain.contract.feature import (
    LARGEST,
    LONGEST_CATEGORY,
    NEW_CATEGORY,
    OTHER,
    Feature,
    Value,
)

Schema = dict[str, object]
"""A JSON Schema, or another part of an OpenAPI document."""


def describe_feature(feature: Feature) -> Schema:
    """Return the JSON Schema of one feature's values, with its title, unit and description."""
    words = {"title": feature.title, UNIT: feature.unit, "description": feature.description}
    return _describe_values(feature) | {key: text for key, text in words.items() if text}


def _describe_values(feature: Feature) -> Schema:
    match feature.kind:
        case "category" if feature.collects_rest:
            return {
                "type": ["string", "null"] if feature.nullable else "string",
                "minLength": 1,
                "maxLength": LONGEST_CATEGORY,
                "pattern": NEW_CATEGORY,
                "examples": list(feature.listed),
                "x-other": OTHER,
            }
        case "category":
            values = [*feature.categories, *([None] if feature.nullable else [])]
            return {"enum": values}
        case "flag":
            return {"enum": [0, 1, *([None] if feature.nullable else [])]}
        case "number":
            return {
                "type": ["number", "null"] if feature.nullable else "number",
                "minimum": feature.minimum,
                "maximum": feature.maximum,
            }


def describe_context(entry: Context) -> Schema:
    """Return the JSON Schema of one context column's values."""
    described: Schema = {
        "type": ["string", "null"] if entry.nullable else "string",
        "minLength": 1,
        "maxLength": entry.maximum_length,
        "pattern": TEXT_PATTERN,
    }
    if entry.values:
        described = describe_feature(entry.values)
    role: Schema = {ROLE: entry.role} if entry.role else {}
    title: Schema = {"title": entry.title} if entry.title else {}
    meaning = entry.description or CONTEXT_DESCRIPTIONS[entry.role]
    return described | title | {"description": meaning} | role


UNIT = "x-unit"
"""Says in a schema what a feature's numbers are measured in."""
MARK = "x-ignored"
"""Says in a schema that a field is neither scored nor logged."""
IGNORED = (
    "Any value is accepted and ignored: the model that serves doesn't know this feature yet, or it"
    " is retired."
)
ROLE = "x-role"
"""Says in a schema which context column is the reference, and which the subject."""
CONTEXT_DESCRIPTIONS: dict[Role | None, str] = {
    "reference": "Your own id of this prediction, which labels may name. It may repeat.",
    "subject": "A pseudonym of the person whom the prediction is about.",
    None: "It is logged with the prediction, and never scored.",
}


NOTHING_TYPICAL: Mapping[str, Value] = {}


def make_example(
    contract: Contract, typical: Mapping[str, Value] = NOTHING_TYPICAL
) -> dict[str, object]:
    """Make a valid instance for the documentation, of the features' `typical` values if given."""
    example: dict[str, object] = {f.name: _choose_value(f, typical) for f in contract.features}
    if context := contract.request_context:
        example[CONTEXT] = {entry.name: _example_context(entry) for entry in context.columns}
    return example


def _choose_value(feature: Feature, typical: Mapping[str, Value]) -> Value:
    value = typical.get(feature.name)
    fits = value is not None and feature.accepts(value)
    return feature.cast(value) if fits else _example_value(feature)


def _example_context(entry: Context) -> Value:
    if entry.values:
        return _example_value(entry.values)
    return {"reference": "visit-4711", "subject": "p-0815", None: "text"}[entry.role][
        : entry.maximum_length
    ]


def _example_value(feature: Feature) -> Value:
    if feature.kind == "category":
        return feature.categories[0]
    if feature.kind == "flag":
        return 0
    if feature.minimum > -LARGEST and feature.maximum < LARGEST:
        return (feature.minimum + feature.maximum) / 2
    return min(max(0.0, feature.minimum), feature.maximum)


def build_components(contract: Contract) -> dict[str, Schema]:
    """Build the schema of every body of the API, by name."""
    text: Schema = {"type": "string"}
    probability: Schema = {"type": "number", "minimum": 0, "maximum": 1}
    prediction_id: Schema = {"type": "string", "format": "uuid"}
    return {
        "Instance": _describe_instance(contract),
        "Instances": _closed({"instances": _several("Instance")}, required=["instances"]),
        "Prediction": _closed(
            {
                "prediction_id": prediction_id,
                "probability": probability,
                contract.target: {"type": "boolean", "description": "probability >= threshold"},
                "threshold": probability,
                "model_version": text,
                "explanation": ref("Explanation"),
            },
            required=[
                "prediction_id",
                "probability",
                contract.target,
                "threshold",
                "model_version",
            ],
        ),
        "Explanation": _closed(
            {
                "expected": {"type": "number", "description": "Log-odds when no feature is known."},
                "contributions": _closed(
                    {feature.name: _describe_contribution(feature) for feature in contract.features}
                )
                | {"description": "Log-odds; with `expected` they add up to `probability`'s."},
            }
        ),
        "Predictions": _closed({"predictions": _several("Prediction")}),
        "Label": _describe_label(contract, prediction_id),
        "Labels": _closed({"labels": _several("Label")}, required=["labels"]),
        "Accepted": _closed({"accepted": {"type": "integer", "minimum": 1}}),
        "Model": {
            "type": "object",
            "required": ["version", "contract_version", "target", "threshold"],
            "properties": {
                "version": text,
                "contract_version": text,
                "target": text,
                "threshold": probability,
            },
            "description": "The champion's model card, which has more fields than these.",
        },
        "Health": _closed(
            {
                "status": {"enum": ["ok", "degraded"]},
                "version": text,
                "reasons": {"type": "array", "items": text},
            }
        ),
        "Problem": {
            "type": "object",
            "description": "RFC 9457.",
            "required": ["type", "title", "detail"],
            "properties": {
                "type": text,
                "title": text,
                "status": {
                    "type": "integer",
                    "description": "As in the status line. Some answers of the gateway lack it.",
                },
                "detail": text,
                "errors": {
                    "type": "array",
                    "items": _closed({"pointer": text, "detail": text}),
                    "description": "The JSON pointer of each invalid field, and what is expected.",
                },
            },
        },
    }


def _describe_contribution(feature: Feature) -> Schema:
    title: Schema = {"title": feature.title} if feature.title else {}
    return {"type": "number"} | title


def _describe_instance(contract: Contract) -> Schema:
    properties = {feature.name: describe_feature(feature) for feature in contract.features}
    required = [feature.name for feature in contract.features if not feature.nullable]
    properties |= {name: {"description": IGNORED, MARK: True} for name in sorted(contract.ignored)}
    if context := contract.request_context:
        properties[CONTEXT] = _closed(
            {entry.name: describe_context(entry) for entry in context.columns},
            required=[entry.name for entry in context.columns if not entry.nullable],
        ) | {"description": "Logged with the prediction, and never scored."}
        required += [CONTEXT] if context.required else []
    return _closed(properties, required)


def _describe_label(contract: Contract, prediction_id: Schema) -> Schema:
    """A label names its prediction by id or, where the contract has one, by reference."""
    properties: dict[str, Schema] = {
        "prediction_id": prediction_id,
        contract.target: {"type": "boolean", "description": "What turned out true."},
        "observed_at": {
            "type": "string",
            "format": "date-time",
            "description": "Not in the future. Without it, the time of the request.",
        },
    }
    reference = contract.request_context.reference
    if reference is None:
        return _closed(properties, required=["prediction_id", contract.target])
    properties["reference"] = describe_context(replace(reference, nullable=False)) | {
        "description": "The label is for every prediction with this reference."
    }
    by = [{"required": ["prediction_id"]}, {"required": ["reference"]}]
    return _closed(properties, required=[contract.target]) | {"oneOf": by}


def _closed(properties: Mapping[str, Schema], required: Sequence[str] | None = None) -> Schema:
    """An object with exactly these fields; all of them are required by default."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties if required is None else required),
        "properties": dict(properties),
    }


def _several(name: str) -> Schema:
    return {"type": "array", "minItems": 1, "maxItems": MAXIMUM_ENTRIES, "items": ref(name)}


def ref(name: str) -> Schema:
    """A reference to a component of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def either(*names: str) -> Schema:
    """Exactly one of the components of these names."""
    return {"oneOf": [ref(name) for name in names]}
