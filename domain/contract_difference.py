"""What a new contract changes, and what each change means for callers, files, log and model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from domain.contract.context import Context
from domain.contract.contract import Contract
from domain.contract.feature import OTHER, Feature

Effect = Literal["nothing", "training", "callers", "refused"]
"""Who must do something: nobody; a new model will come by a training; callers or files must
change; or the contract can't be deployed."""

AFTERWARDS = "once a model of this contract serves"


@dataclass(frozen=True, slots=True)
class Difference:
    """One change as a sentence, and its effect."""

    effect: Effect
    sentence: str


def compare(old: Contract, new: Contract) -> list[Difference]:
    """Every difference that matters, the gravest effects first."""
    if old.target != new.target:
        return [
            Difference(
                "refused",
                f"The target is {new.target} and was {old.target}: that is another model. Deploy it"
                " under another name.",
            )
        ]
    found = [
        *_features(old, new),
        *_context(old, new),
        *_rest(old, new),
    ]
    order: Sequence[Effect] = ("refused", "callers", "training", "nothing")
    return sorted(found, key=lambda difference: order.index(difference.effect))


def find_unretired(old: Contract, new: Contract) -> list[Feature]:
    """Features that the new contract dropped without an entry under ``[[retired]]``."""
    kept = new.log_columns() | new.retired_columns()
    return [feature for feature in old.features if feature.column not in kept]


def _features(old: Contract, new: Contract) -> Iterator[Difference]:
    before = {feature.name: feature for feature in old.features}
    after = {feature.name: feature for feature in new.features}
    for feature in find_unretired(old, new):
        yield Difference(
            "refused",
            f"{feature.name} is gone. The champion still logs it: it needs an entry under"
            " [[retired]] with its kind.",
        )
    for name in before.keys() - after.keys() - {f.name for f in find_unretired(old, new)}:
        yield Difference(
            "training",
            f"{name} is retired: requests and files need not have it {AFTERWARDS}, requests may"
            " still have it, and the log keeps its column.",
        )
    known = after.keys() | {feature.name for feature in new.retired}
    for feature in old.retired:
        if feature.name not in known:
            yield Difference(
                "callers",
                f"{feature.name} is no longer retired: requests that still have it are refused"
                " at once.",
            )
    for name, feature in after.items():
        if name in before:
            yield from _feature(before[name], feature)
        elif feature.nullable:
            yield Difference(
                "training",
                f"{name} is new and may be missing: requests may have it at once, and the next"
                " training learns it.",
            )
        else:
            yield Difference(
                "callers",
                f"{name} is new and required: files without it are refused from now on, and"
                f" requests {AFTERWARDS}.",
            )
    if [n for n in before if n in after] != [n for n in after if n in before]:
        yield Difference("training", "The features are in another order.")


def _feature(old: Feature, new: Feature) -> Iterator[Difference]:
    name = new.name
    if old.kind != new.kind:
        yield Difference(
            "refused",
            f"{name} is a {new.kind} and was a {old.kind}. A column can't change its type: give the"
            " new feature another name, and retire the old one.",
        )
        return
    if old.nullable and not new.nullable:
        yield Difference(
            "callers", f"{name} may no longer be missing: requests without it will be refused."
        )
    if new.nullable and not old.nullable:
        yield Difference("training", f"{name} may be missing {AFTERWARDS}.")
    yield from _values(old, new)
    if old.in_files != new.in_files:
        yield Difference("nothing", f"Files may write {name} in another way than before.")
    if old.monotone != new.monotone:
        yield Difference("training", f"The next model follows {name} in {_direction(new)}.")
    if old.drift != new.drift:
        yield Difference("nothing", f"{name} has other limits of drift.")
    described = (old.title, old.unit, old.description) != (new.title, new.unit, new.description)
    if described:
        yield Difference("nothing", f"{name} is described in other words {AFTERWARDS}.")


def _direction(feature: Feature) -> str:
    return f"{feature.monotone} direction only" if feature.monotone else "either direction"


def _values(old: Feature, new: Feature) -> Iterator[Difference]:
    name = new.name
    gone = [category for category in old.categories if category not in new.categories]
    added = [category for category in new.categories if category not in old.categories]
    if OTHER in added:
        added.remove(OTHER)
        yield Difference(
            "training",
            f"{name} may also be any other text, which counts as {OTHER}, {AFTERWARDS}.",
        )
    if OTHER in gone:
        gone.remove(OTHER)
        yield Difference(
            "callers",
            f"{name} no longer collects other texts: rows with one go to quarantine, and requests"
            f" are refused {AFTERWARDS}.",
        )
    if gone and new.collects_rest:
        yield Difference(
            "training", f"{name} counts {_listed(gone)} as {OTHER} {AFTERWARDS}: no row is refused."
        )
    elif gone:
        yield Difference(
            "callers",
            f"{name} no longer has {_listed(gone)}: rows with it go to quarantine, and requests are"
            f" refused {AFTERWARDS}.",
        )
    if added:
        yield Difference("training", f"{name} may also be {_listed(added)} {AFTERWARDS}.")
    if old.kind != "number":
        return
    if new.minimum > old.minimum or new.maximum < old.maximum:
        yield Difference(
            "callers",
            f"The range of {name} is narrower: it {new.expectation}. Other rows go to quarantine,"
            f" and requests are refused {AFTERWARDS}.",
        )
    elif (new.minimum, new.maximum) != (old.minimum, old.maximum):
        yield Difference(
            "training",
            f"{name} has a wider range {AFTERWARDS}: it {new.expectation}.",
        )


def _context(old: Contract, new: Contract) -> Iterator[Difference]:
    before = {entry.name: entry for entry in old.context}
    after = {entry.name: entry for entry in new.context}
    for name in before.keys() - after.keys():
        yield Difference(
            "callers", f"The context column {name} is gone: requests that send it are refused now."
        )
    for name, entry in after.items():
        if name not in before:
            yield _new_context(entry)
        elif before[name] != entry:
            yield Difference("callers", f"The context column {name} has other rules, at once.")


def _new_context(entry: Context) -> Difference:
    if entry.nullable or entry.role == "row_id":
        return Difference("nothing", f"The context column {entry.name} is new and may be missing.")
    return Difference(
        "callers",
        f"The context column {entry.name} is new and required: requests without it are refused at"
        " once.",
    )


def _rest(old: Contract, new: Contract) -> Iterator[Difference]:
    if old.segments != new.segments:
        yield Difference(
            "training", "There are other segments: the next model's card and runs have them."
        )
    if old.objective != new.objective:
        yield Difference("training", "The next model is chosen by another objective.")
    before, after = old.training_columns, new.training_columns
    if old_and_new := _name_change("[split] time", before.time, after.time):
        yield Difference(
            "callers" if after.time else "training",
            f"{old_and_new}: the next training splits the uploaded rows in another way"
            + (", and files without the column are refused." if after.time else "."),
        )
    if old_and_new := _name_change("[target] weight", before.weight, after.weight):
        yield Difference(
            "callers" if after.weight else "training",
            f"{old_and_new}: uploaded rows have other weights from the next training on"
            + (", and files without the column are refused." if after.weight else "."),
        )
    if old.gate != new.gate:
        yield Difference("training", "The gate has other limits for the next model.")
    if old.files != new.files or old.target_in_files != new.target_in_files:
        yield Difference("nothing", "Files may be written in another way than before.")


def _name_change(key: str, old: str, new: str) -> str:
    """What a key named before and names now; empty where that is the same."""
    if old == new:
        return ""
    if not old:
        return f"{key} names {new}"
    return f"{key} names {new} instead of {old}" if new else f"{key} is gone"


def _listed(categories: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(categories[:most])
    return f"{shown} and {len(categories) - most} more" if len(categories) > most else shown
