"""Hypothesis strategies: random contracts, and instances under them."""

import string
from typing import Any

from hypothesis import strategies as st

from domain.contract.context import ROLES, Context, RequestContext, Role
from domain.contract.contract import Contract
from domain.contract.feature import LARGEST, OTHER, Feature, may_be_new_category
from domain.contract.file_format import BLANKS
from domain.contract.reserved_names import RESERVED_COLUMNS, RESERVED_FIELDS

_NAMES = st.text(string.ascii_letters + "_", min_size=1, max_size=12).filter(
    lambda name: name.lower() not in RESERVED_COLUMNS and name not in RESERVED_FIELDS
)
_FINITE = st.floats(-1e6, 1e6, width=32)


@st.composite
def features(draw: st.DrawFn, name: str) -> Feature:
    """One feature of any kind."""
    nullable = draw(st.booleans())
    kind = draw(st.sampled_from(["category", "number", "flag"]))
    if kind == "category":
        text = st.text(min_size=1, max_size=8).filter(lambda t: t == t.strip(BLANKS))
        has_rest = draw(st.booleans())
        text = text.filter(may_be_new_category) if has_rest else text
        groups = draw(st.lists(text, min_size=2 - has_rest, max_size=5, unique=True))
        groups += [OTHER] * has_rest
        return Feature(name=name, kind="category", categories=tuple(groups), nullable=nullable)
    if kind == "number":
        low, high = sorted(draw(st.lists(_FINITE, min_size=2, max_size=2, unique=True)))
        low = draw(st.sampled_from([low, -LARGEST]))
        high = draw(st.sampled_from([high, LARGEST]))
        return Feature(name=name, kind="number", minimum=low, maximum=high, nullable=nullable)
    return Feature(name=name, kind="flag", nullable=nullable)


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """A valid contract of one to six features."""
    names = draw(st.lists(_NAMES, min_size=2, max_size=7, unique_by=str.lower))
    return Contract(
        features=tuple(draw(features(name)) for name in names[1:]),
        target=names[0],
    )


@st.composite
def contexts(draw: st.DrawFn, contract: Contract) -> tuple[Context, ...]:
    """Up to four context columns of any kind, which the contract may have."""
    taken = {feature.column for feature in contract.features} | {contract.target.lower()}
    names = st.lists(
        _NAMES.filter(lambda n: n.lower() not in taken), max_size=4, unique_by=str.lower
    )
    roles: list[Role] = draw(st.permutations(ROLES))
    columns = []
    for name in draw(names):
        if draw(st.booleans()):
            values = draw(features(name))
            columns.append(Context(name=name, values=values, nullable=values.nullable))
            continue
        has_role = draw(st.booleans())
        role = roles.pop() if roles and has_role else None
        if role == "row_id":
            columns.append(Context(name=name, role=role))
            continue
        length, nullable = draw(st.integers(1, 1_024)), draw(st.booleans())
        columns.append(Context(name=name, role=role, nullable=nullable, maximum_length=length))
    return tuple(columns)


@st.composite
def sent_contexts(draw: st.DrawFn, context: RequestContext) -> dict[str, Any]:
    """Valid fields of a request's context; a missing value is null or absent."""
    found = {}
    for entry in context.columns:
        if entry.values:
            found[entry.name] = draw(values(entry.values))
        elif entry.nullable and draw(st.booleans()):
            found[entry.name] = None
        else:
            text = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1)
            length = entry.maximum_length
            found[entry.name] = draw(text.map(lambda t: t[:length]).filter(entry.accepts))  # noqa: B023 - drawn at once
    absent = {n for n, v in found.items() if v is None and draw(st.booleans())}
    return {name: value for name, value in found.items() if name not in absent}


@st.composite
def values(draw: st.DrawFn, feature: Feature) -> Any:
    """A valid value of a feature."""
    if feature.nullable and draw(st.booleans()):
        return None
    match feature.kind:
        case "category":
            listed = st.sampled_from(feature.categories)
            if not feature.collects_rest:
                return draw(listed)
            rare = st.text(min_size=1, max_size=20).filter(feature.collects)
            return draw(listed | rare.filter(lambda text: feature.cast(text) == OTHER))
        case "flag":
            return draw(st.sampled_from([0, 1, 0.0, 1.0]))
        case "number":
            return draw(st.floats(feature.minimum, feature.maximum))


def read_value(feature: Feature, value: Any) -> Any:
    """What a drawn value of the feature is to the model: a rare text is OTHER."""
    is_new = feature.collects_rest and value is not None and value not in feature.categories
    return OTHER if is_new else value


@st.composite
def instances(draw: st.DrawFn, contract: Contract) -> dict[str, Any]:
    """A valid instance; a missing value is null or absent."""
    instance = {feature.name: draw(values(feature)) for feature in contract.features}
    absent = {n for n, v in instance.items() if v is None and draw(st.booleans())}
    return {name: value for name, value in instance.items() if name not in absent}
