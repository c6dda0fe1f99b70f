"""`ops user` refuses what can't be right before it calls Cognito."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.api.people import GROUPS
from ops.commands.people import user_add, user_list, user_remove
from ops.console import Answer
from ops.errors import OpsError
from ops.people import Group
from tests.unit.ops.doctor.recorded import DEPLOYMENT, Recorded, record


def _target(pool: str = "eu-west-1_abc") -> Recorded:
    target = record(cognito_idp=[])
    target.__dict__["deployment"] = replace(DEPLOYMENT, user_pool=pool)
    return target


def test_the_groups_of_the_command_line_are_those_of_the_api() -> None:
    assert list(GROUPS) == [group.value for group in Group]


@pytest.mark.parametrize(
    "mail", ["", "ada", "ada@example", "a@b.org,c@d.org", "A <a@b.org>", "a b@c.org", "a" * 255]
)
@pytest.mark.parametrize("command", [user_add.run, user_remove.run])
def test_what_is_no_mail_address_is_refused_and_not_quoted(
    command: Callable[..., Answer], mail: str
) -> None:
    with pytest.raises(OpsError, match=r"^That is not a mail address\.$"):
        command(_target(), mail)


@pytest.mark.parametrize("command", [user_add.run, user_remove.run, user_list.run])
def test_a_stage_without_a_login_says_how_to_get_one(command: Callable[..., Answer]) -> None:
    arguments = [] if command is user_list.run else ["ada@example.org"]
    with pytest.raises(OpsError, match="it has no login") as error:
        command(_target(""), *arguments)
    assert error.value.next_step.startswith("Set its login in cdk.json to cognito")
