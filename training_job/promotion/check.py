"""Check whether pointer, bundles, ledger and registry agree. Nothing is repaired here."""

import time
from collections.abc import Callable
from dataclasses import asdict

from adapters.model_store import ModelStore
from adapters.registry import RegistryUnavailable, Tracking
from adapters.s3 import Bucket
from domain import keys
from domain.errors import BadBundle, BadKey, BadRecord
from domain.model.champion import Champion, LedgerEntry
from domain.model.consistency import Consistency, find_ledger_problems
from domain.plural import write_count
from domain.training.steps import Checked


def check(
    *, models: Bucket, tracking: Tracking, say: Callable[[str], None], operator: str = "ops"
) -> Checked:
    """Compare them and store the outcome for `ops status`.

    `operator`: how the operator's command line is called for the deployment.
    """
    problems: list[str] = []
    champion = _champion(models, problems)
    entries = _entries(models, problems)
    problems += find_ledger_problems(champion, entries, operator=operator)
    if champion is not None:
        problems += _bundle_problems(models, champion)
    problems += _registry_problems(tracking, champion)
    outcome = Consistency(
        checked_at=int(time.time() * 1000),
        version=champion.version if champion else None,
        seq=champion.seq if champion else 0,
        problems=tuple(problems),
    )
    models.put(keys.CHECK, outcome.to_json(), content_type="application/json")
    for problem in problems:
        say(problem)
    say("consistent" if not problems else write_count(len(problems), "problem"))
    return Checked(**asdict(outcome), consistent=not problems)


def _champion(models: Bucket, problems: list[str]) -> Champion | None:
    try:
        return ModelStore(models).read_champion()
    except BadRecord as error:
        problems.append(str(error))
        return None


def _entries(models: Bucket, problems: list[str]) -> list[LedgerEntry]:
    """The ledger as far as it can be read, in the order of its keys."""
    entries = []
    for listed in models.list(keys.LEDGER):
        try:
            entries.append(ModelStore(models).read_entry(listed.key))
        except (BadRecord, BadKey) as error:
            problems.append(f"{listed.key}: {error}")
    return entries


def _bundle_problems(models: Bucket, champion: Champion) -> list[str]:
    """The champion's objects and its previous model's bundle: what a rollback would need."""
    problems = []
    wanted = [champion.model] + ([champion.previous] if champion.previous else [])
    for model in wanted:
        try:
            ModelStore(models).load_bundle(model)
        except BadBundle as error:
            problems.append(f"The bundle of version {model.version} can't be served: {error}")
    beside = (keys.card(champion.version), keys.reference(champion.version))
    return problems + [f"{key} is missing." for key in beside if not models.exists(key)]


def _registry_problems(tracking: Tracking, champion: Champion | None) -> list[str]:
    try:
        alias = tracking.champion()
        if champion is None:
            return [f"The registry's alias names {alias}, but nothing serves."] if alias else []
        number = keys.registry_number(champion.version)
        if tracking.sha256_of(number) != champion.sha256:
            return [
                f"The registry's version {number} is not the model that serves, so its alias is"
                f" left at {alias or 'nothing'}: the next model that is promoted sets it."
            ]
        if alias != number:
            return [
                f"The registry's alias names {alias or 'nothing'}, the pointer {number}: "
                "the next training or rollback repairs it."
            ]
    except RegistryUnavailable as error:
        return [f"The registry can't be compared: {error}"]
    return []
