"""`ops user` on the emulator's user pool: each command may be repeated, and shows no password."""

import re

import pytest
import requests

from ops.commands.people import user_add, user_list, user_remove
from ops.people import Group
from tests.integration.sign_in.people import Pool


def _invitations(pool: Pool, mail: str) -> list[str]:
    """The bodies of the mails to somebody."""
    url = f"{pool.endpoint}/_ministack/ses/messages"
    boxes = requests.get(url, timeout=60).json()["messages"].values()
    return [sent["BodyText"] for box in boxes for sent in box if mail in sent["To"]]


def test_a_person_comes_and_goes_and_every_command_may_be_repeated(pool: Pool) -> None:
    mail = "grace@example.org"
    first = user_add.run(pool.target, " Grace@Example.org", group=[Group.OPERATE])
    assert {"mail": mail, "groups": ["operate"]} == first.data
    again = user_add.run(pool.target, mail)
    assert {"mail": mail, "groups": ["operate"]} == again.data
    (invitation,) = _invitations(pool, mail)
    assert pool.page in invitation
    password = re.search(r"password (\S+) within three days", invitation)
    assert password is not None
    assert password[1] not in repr((first, again))

    assert ["operate", "approve"] == user_add.run(pool.target, mail, group=[Group.APPROVE]).data[
        "groups"
    ]
    listed = {user["mail"]: user for user in user_list.run(pool.target).data}
    assert (["operate", "approve"], "invited") == (listed[mail]["groups"], listed[mail]["state"])
    user_add.run(pool.target, mail, invite_again=True)
    assert 2 == len(_invitations(pool, mail))

    for _ in range(2):
        found = user_remove.run(pool.target, mail, group=[Group.OPERATE])
        assert ["approve"] == found.data["groups"]
    assert [True, False] == [user_remove.run(pool.target, mail).data["removed"] for _ in range(2)]
    assert mail not in {user["mail"] for user in user_list.run(pool.target).data}


def test_who_is_removed_can_sign_in_no_more(pool: Pool) -> None:
    mail = "gone@example.org"
    pool.add(mail, "read")
    assert "id_token" in pool.tokens(mail)
    user_remove.run(pool.target, mail)
    with pytest.raises(KeyError, match="location"):
        pool.tokens(mail)
