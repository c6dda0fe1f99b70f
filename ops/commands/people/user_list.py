"""`user list`: who may sign in, and what they may do."""

from ops.console import Answer, table
from ops.people import describe_groups, explain_groups, open_pool
from ops.target import Target


def run(target: Target) -> Answer:
    """List who may sign in, and what they may do."""
    pool = open_pool(target)
    found = [(user, pool.groups_of(user.name)) for user in pool.users()]
    data = [{"mail": u.mail, "groups": groups, "state": u.describe()} for u, groups in found]
    if not found:
        return Answer(
            data=data,
            shown=["Nobody may sign in yet.", *explain_groups()],
            next_step="python -m ops user add ada@example.org --group operate",
        )
    rows = [(user.mail, describe_groups(groups), user.describe()) for user, groups in found]
    return Answer(
        data=data,
        shown=[table(("Mail", "Groups", "State"), rows)],
        next_step="python -m ops user add MAIL --group operate",
    )
