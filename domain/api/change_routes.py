"""The routes by which people change what serves, where a stage has a login."""

from dataclasses import dataclass

from domain.api.dashboard_routes import VERSION, Route
from domain.api.schemas import Schema

LONGEST_REASON = 500
_REASON: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_REASON}
_PROBLEMS = ("400", "401", "403", "404", "409", "413", "415", "429", "503")


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedChange:
    """The version that it is about, and the execution that makes the change."""

    version: str
    execution: str


ROUTES = (
    Route(
        method="post",
        path="/people/rollbacks",
        name="roll_back",
        tag="models",
        answer=StartedChange,
        summary="Let an earlier version serve again; without a version, the previous champion.",
        problems=_PROBLEMS,
        body={
            "type": "object",
            "additionalProperties": False,
            "properties": {"version": VERSION},
        },
        needs="operate",
        status="202",
    ),
    Route(
        method="post",
        path="/people/approvals",
        name="approve",
        tag="models",
        answer=StartedChange,
        summary="Answer a model that waits for an approval; a rejection needs a reason.",
        problems=_PROBLEMS,
        body={
            "type": "object",
            "additionalProperties": False,
            "required": ["version", "approved"],
            "properties": {"version": VERSION, "approved": {"type": "boolean"}, "reason": _REASON},
            "oneOf": [
                {"properties": {"approved": {"const": True}}, "not": {"required": ["reason"]}},
                {"properties": {"approved": {"const": False}}, "required": ["reason"]},
            ],
        },
        needs="approve",
        status="202",
    ),
)
