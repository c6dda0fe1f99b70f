"""JSON Schemas of what the API takes and gives, derived from a contract."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.api.requests import MAXIMUM_ENTRIES
from domain.contract.contract import Contract
from domain.contract.feature import Feature

Schema = dict[str, Any]


def feature_schema(feature: Feature) -> Schema:
    """JSON Schema of one feature's values."""
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


def example(contract: Contract) -> dict[str, Any]:
    """A valid instance, for documentation."""
    return {feature.name: _example_value(feature) for feature in contract.features}


def _example_value(feature: Feature) -> Any:
    if feature.kind == "category":
        return feature.categories[0]
    if feature.kind == "flag":
        return 0
    return (feature.minimum + feature.maximum) / 2


def components(contract: Contract) -> dict[str, Schema]:
    """Every body of the API, by name."""
    text: Schema = {"type": "string"}
    probability: Schema = {"type": "number", "minimum": 0, "maximum": 1}
    prediction_id: Schema = {"type": "string", "format": "uuid"}
    return {
        "Instance": _closed(
            {feature.name: feature_schema(feature) for feature in contract.features},
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
                "expected": {"type": "number", "description": "Log-odds when nothing is known."},
                "contributions": _closed(
                    {feature.name: {"type": "number"} for feature in contract.features}
                )
                | {"description": "Log-odds; with `expected` they add up to the prediction's."},
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
                    "description": "Not in the future; when left out, now.",
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
            "description": "The champion's card; more fields than these.",
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
                    "description": "As in the status line; missing in some answers of the gateway.",
                },
                "detail": text,
                "errors": {
                    "type": "array",
                    "items": _closed({"pointer": text, "detail": text}),
                    "description": "Where, as a JSON pointer, and what is wanted there.",
                },
            },
        },
    }


def _closed(properties: Mapping[str, Schema], required: Sequence[str] | None = None) -> Schema:
    """An object with these fields and no others; all are required unless said otherwise."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties if required is None else required),
        "properties": dict(properties),
    }


def _several(name: str) -> Schema:
    return {"type": "array", "minItems": 1, "maxItems": MAXIMUM_ENTRIES, "items": ref(name)}


def ref(name: str) -> Schema:
    """A reference to one of `components`."""
    return {"$ref": f"#/components/schemas/{name}"}


def either(*names: str) -> Schema:
    """Exactly one of `components`."""
    return {"oneOf": [ref(name) for name in names]}
