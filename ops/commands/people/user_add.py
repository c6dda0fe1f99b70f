"""`user add`: somebody may sign in."""

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
        list[Group] | None, Option(help="What the person may do (read); may be repeated.")
    ] = None,
    invite_again: Annotated[
        bool, Option("--invite-again", help="Mail a new invitation, if the first one ran out.")
    ] = False,
) -> Answer:
    """Let somebody sign in, and say what they may do.

    Cognito mails an invitation with a temporary password, which nobody else sees. Repeating the
    command sends no second mail; with another --group it adds that group. `approve` lets somebody
    answer a model that waits, and does not include `operate`.
    """
    pool, address = open_pool(target), check_mail(mail)
    user = pool.find(address)
    if user is None:
        pool.invite(address)
        said = f"{address} is invited by mail, and may sign in with the password in it."
    elif invite_again and user.invited:
        pool.invite(address, again=True)
        said = f"{address} is invited again by mail."
    else:
        said = f"{address} was added before, so no mail is sent."
    name = address if user is None else user.name
    for each in group or ([] if user else [Group.READ]):
        pool.join(name, each)
    groups = pool.groups_of(name)
    return Answer(
        data={"mail": address, "groups": groups},
        shown=[said, f"Groups: {describe_groups(groups)}."],
        next_step="python -m ops user list",
    )
