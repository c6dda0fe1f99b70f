"""The people of a stage's user pool, as `ops user` sees them."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws import error_code
from domain.api.people import GROUPS
from ops.errors import OpsError
from ops.target import Target

_MAIL = re.compile(r"[^@\s,;:<>\"]+@[^@\s,;:<>\"]+\.[^@\s.,;:<>\"]+")
INVITED = "FORCE_CHANGE_PASSWORD"
"""The state of somebody who got the invitation and has not signed in yet."""
_STATES = {
    INVITED: "invited",
    "CONFIRMED": "active",
    "EXTERNAL_PROVIDER": "another provider's",
    "RESET_REQUIRED": "must reset the password",
}


class Group(StrEnum):
    """What somebody may do."""

    READ = "read"
    INSPECT = "inspect"
    OPERATE = "operate"
    APPROVE = "approve"


@dataclass(frozen=True, slots=True)
class User:
    """One person of the pool; `name` is the pool's own."""

    name: str
    mail: str
    state: str
    enabled: bool

    @property
    def invited(self) -> bool:
        """Whether the first sign-in has yet to come."""
        return self.state == INVITED

    def describe(self) -> str:
        """The state in words."""
        return _STATES.get(self.state, self.state.lower()) if self.enabled else "disabled"


@dataclass(frozen=True, slots=True)
class Pool:
    """The user pool of one stage."""

    client: Any
    id: str

    def find(self, mail: str) -> User | None:
        """The person with that address."""
        try:
            found = self.client.admin_get_user(UserPoolId=self.id, Username=mail)
        except ClientError as error:
            if error_code(error) == "UserNotFoundException":
                return None
            raise
        return _read({**found, "Attributes": found["UserAttributes"]})

    def invite(self, mail: str, *, again: bool = False) -> None:
        """Create the person, or mail the invitation again; Cognito makes and mails the password."""
        attributes = [
            {"Name": "email", "Value": mail},
            {"Name": "email_verified", "Value": "true"},
        ]
        self.client.admin_create_user(
            UserPoolId=self.id,
            Username=mail,
            DesiredDeliveryMediums=["EMAIL"],
            **({"MessageAction": "RESEND"} if again else {"UserAttributes": attributes}),
        )

    def join(self, user: str, group: Group) -> None:
        """Add somebody to a group."""
        self.client.admin_add_user_to_group(UserPoolId=self.id, Username=user, GroupName=group)

    def leave(self, user: str, group: Group) -> None:
        """Take somebody out of a group."""
        self.client.admin_remove_user_from_group(UserPoolId=self.id, Username=user, GroupName=group)

    def delete(self, user: str) -> None:
        """End the sign-in of somebody, and delete what the pool knows of the person."""
        self.client.admin_user_global_sign_out(UserPoolId=self.id, Username=user)
        self.client.admin_delete_user(UserPoolId=self.id, Username=user)

    def groups_of(self, user: str) -> list[Group]:
        """The groups that somebody is in."""
        pages = self.client.get_paginator("admin_list_groups_for_user")
        names = {
            group["GroupName"]
            for page in pages.paginate(UserPoolId=self.id, Username=user)
            for group in page["Groups"]
        }
        return [group for group in Group if group in names]

    def users(self) -> list[User]:
        """Everybody, by address."""
        pages = self.client.get_paginator("list_users").paginate(UserPoolId=self.id)
        found = [_read(user) for page in pages for user in page["Users"]]
        return sorted(found, key=lambda user: user.mail)


def open_pool(target: Target) -> Pool:
    """The stage's user pool; raises OpsError where the stage has no login."""
    pool = target.deployment.user_pool
    if not pool:
        raise OpsError(
            f"Nobody signs in at stage {target.stage}: it has no login.",
            f"Set its login in cdk.json to cognito, then {target.deploy_command}",
        )
    return Pool(target.client("cognito-idp"), pool)


def is_mail(text: str) -> bool:
    """Whether it is one mail address."""
    return len(text) <= 254 and _MAIL.fullmatch(text) is not None


def check_mail(text: str) -> str:
    """The address in lower case, as the pool compares it; raises OpsError."""
    mail = text.strip().lower()
    if not is_mail(mail):
        raise OpsError(
            "That is not a mail address.", "python -m ops user add ada@example.org --group read"
        )
    return mail


def describe_groups(groups: list[Group]) -> str:
    """What somebody in these groups may do, as a list of them."""
    return ", ".join(groups) or "none, so everything is refused"


def explain_groups() -> list[str]:
    """A sentence for each group."""
    return [f"{group}: {GROUPS[group.value]}" for group in Group]


def _read(user: Any) -> User:
    attributes = {each["Name"]: each["Value"] for each in user.get("Attributes", [])}
    return User(
        name=user["Username"],
        mail=attributes.get("email", user["Username"]),
        state=user["UserStatus"],
        enabled=user["Enabled"],
    )
