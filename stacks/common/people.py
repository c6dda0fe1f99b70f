"""How a component recognises the role that acts for whoever signed in."""

from stacks.common.function import name_role
from stacks.settings import Settings
from stacks.target import Target


def find_people(settings: Settings, target: Target) -> str | None:
    """How the role's ARN begins, from the account on; None where nobody signs in."""
    return target.principal(name_role(settings.names.people)) if settings.has_login else None
