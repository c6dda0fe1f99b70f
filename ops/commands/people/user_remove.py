"""`user remove`: somebody may not sign in any more, or may do less."""

from typing import Annotated

from typer import Argument, Option

from ops.console import Answer
from ops.people import Group, check_mail, describe_groups, open_pool
from ops.target import Target


def run(
    target: Target,
    mail: Annotated[str, Argument(help="The mail address of one person.", metavar="MAIL")],
    *,
    group: Annotated[
        list[Group] | None,
        Option(help="Take only this group from the person; may be repeated."),
    ] = None,
) -> Answer:
    """Let somebody sign in no more, or take a group from them.

    A token that the person has keeps working until it expires, for an hour at most. Entries of the
    ledger and of logs keep the address. Repeating the command changes nothing.
    """
    pool, address = open_pool(target), check_mail(mail)
    user = pool.find(address)
    if user is None:
        return Answer(
            data={"mail": address, "removed": False},
            shown=[f"{address} may not sign in, so there is nothing to remove."],
            next_step="python -m ops user list",
        )
    if group:
        for each in group:
            pool.leave(user.name, each)
        groups = pool.groups_of(user.name)
        shown = f"{address} has these groups now: {describe_groups(groups)}."
    else:
        pool.delete(user.name)
        groups = []
        shown = f"{address} is removed, and can't sign in any more."
    return Answer(
        data={"mail": address, "removed": not group, "groups": groups},
        shown=[shown, "A token from before works until it expires, for an hour at most."],
        next_step="python -m ops user list",
    )
