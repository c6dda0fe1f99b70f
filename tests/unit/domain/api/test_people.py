"""Groups of a token give permissions; whatever isn't an identity token gives nothing."""

from typing import Any

import pytest

from domain.api.people import GROUPS, NotSignedIn, Permission, Person

CLAIMS = {"email": "ada@example.org", "token_use": "id"}


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (None, set()),
        ("", set()),
        ("[]", set()),
        ("readers,op,approve-all", set()),
        ("read", {"read"}),
        ("inspect", {"read", "inspect"}),
        ("operate", {"read", "operate"}),
        ("approve", {"read", "approve"}),
        ("operate,approve", {"read", "operate", "approve"}),
        ("[eu-central-1_x_Corp operate]", {"read", "operate"}),
    ],
)
def test_only_the_groups_give_permissions(groups: str | None, expected: set[Permission]) -> None:
    person = Person.from_claims(CLAIMS | {"cognito:groups": groups})
    assert "ada@example.org" == person.name
    assert expected == {permission for permission in GROUPS if person.may(permission)}


@pytest.mark.parametrize(
    "claims",
    [
        None,
        {},
        {"token_use": "id", "cognito:groups": "operate"},
        {"email": "", "token_use": "id"},
        CLAIMS | {"token_use": "access"},
    ],
)
def test_without_an_identity_token_nobody_signed_in(claims: dict[str, Any] | None) -> None:
    with pytest.raises(NotSignedIn, match="identity token in the header Authorization"):
        Person.from_claims(claims)
