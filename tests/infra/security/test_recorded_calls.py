"""The documented calls are only those that the end-to-end tests can't record.

They record every call of botocore (`tests/recorder`) and compare it with
`tests/recorder/calls.json`, so that is what the code does, not what somebody remembers.
"""

import re

from tests.infra.security.documented import DOCUMENTED, PROD, WEBHOOK, is_documented
from tests.recorder.calls import read_committed
from tests.repository import ROOT


def test_what_is_recorded_is_not_documented_too() -> None:
    assert [] == [call for call in sorted(read_committed()) if is_documented(call)]


def test_every_documented_call_says_who_makes_it_or_which_test_does() -> None:
    reasons = {
        why for table in (DOCUMENTED, PROD, WEBHOOK) for listed in table.values() for why in listed
    }
    assert all(len(why.split()) >= 3 for why in reasons)
    named = [place for why in reasons for place in re.findall(r"tests/[\w/.]+", why)]
    assert named
    assert [] == [place for place in named if not (ROOT / place).exists()]
