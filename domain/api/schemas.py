"""JSON Schemas of the API's bodies, derived from a contract."""

from collections.abc import Mapping, Sequence

from domain.api.requests import MAXIMUM_ENTRIES
from domain.contract.contract import Contract
from domain.contract.feature import Feature, Value

Schema = dict[str, object]
"""A JSON Schema, or another part of an OpenAPI document."""


def describe_feature(feature: Feature) -> Schema:
    """Return the JSON Schema of one feature's values."""
    match feature.kind:
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


def make_example(contract: Contract) -> dict[str, Value]:
    """Make a valid instance for the documentation."""
    return {feature.name: _example_value(feature) for feature in contract.features}


def _example_value(feature: Feature) -> Value:
    if feature.kind == "category":
        return feature.categories[0]
    if feature.kind == "flag":
        return 0
    return (feature.minimum + feature.maximum) / 2


def build_components(contract: Contract) -> dict[str, Schema]:
    """Build the schema of every body of the API, by name."""
    text: Schema = {"type": "string"}
    probability: Schema = {"type": "number", "minimum": 0, "maximum": 1}
    prediction_id: Schema = {"type": "string", "format": "uuid"}
    return {
        "Instance": _closed(
            {feature.name: describe_feature(feature) for feature in contract.features},
            required=[feature.name for feature in contract.features if not feature.nullable],
        ),
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
                    {feature.name: {"type": "number"} for feature in contract.features}
                )
                | {"description": "Log-odds; with `expected` they add up to `probability`'s."},
            }
        ),
        "Predictions": _closed({"predictions": _several("Prediction")}),
        "Label": _closed(
            {
                "prediction_id": prediction_id,
                contract.target: {"type": "boolean", "description": "What turned out true."},
                "observed_at": {
                    "type": "string",
                    "format": "date-time",
                    "description": "Not in the future. Without it, the time of the request.",
                },
            },
            required=["prediction_id", contract.target],
        ),
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
