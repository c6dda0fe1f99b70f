"""The files that pin every package: whole, in agreement, with hashes and without a host."""

import re
from pathlib import Path

import pytest

from tests.repository import ROOT

LOCKS = ("constraints.txt", "requirements.lock", "lambdas/requirements.lock")
_PIN = re.compile(r"(?P<pin>(?P<name>[a-z0-9._-]+)==\S+( ; [^\\]+?)?) \\")


def read_lock(path: Path) -> dict[str, list[str]]:
    """``name==version ; marker`` → its hashes."""
    pins: dict[str, list[str]] = {}
    for line in path.read_text().splitlines()[1:]:
        if line.startswith("    --hash="):
            pins[list(pins)[-1]].append(line.strip(" \\"))
        else:
            found = _PIN.fullmatch(line)
            assert found, f"{path.name}: {line}"
            pins[found["pin"]] = []
    return pins


def read_names(requirements: Path) -> set[str]:
    """The packages that a requirements file and those in it name."""
    names: set[str] = set()
    for line in requirements.read_text().splitlines():
        if line.startswith("-r "):
            names |= read_names(requirements.parent / line.removeprefix("-r "))
        elif line and not line.startswith(("#", "-")):
            names.add(re.split(r"[\[<>= ]", line)[0])
    return names


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_the_hashes_of_its_files_and_no_host(lock: str) -> None:
    pins = read_lock(ROOT / lock)
    assert [] == [pin for pin, hashes in pins.items() if not hashes]
    sha256 = re.compile(r"--hash=sha256:[0-9a-f]{64}")
    assert all(sha256.fullmatch(one) for hashes in pins.values() for one in hashes)
    assert "://" not in (ROOT / lock).read_text()


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_a_part_pins_what_the_whole_pins(lock: str) -> None:
    whole = read_lock(ROOT / "constraints.txt")
    part = read_lock(ROOT / lock)
    assert {name: whole.get(name) for name in part} == part


@pytest.mark.parametrize(
    ("requirements", "lock"),
    [
        ("requirements-dev.txt", "constraints.txt"),
        ("requirements.txt", "requirements.lock"),
        ("lambdas/requirements.txt", "lambdas/requirements.lock"),
        ("lambdas/drift/requirements.txt", "constraints.txt"),
    ],
)
def test_every_required_package_is_pinned(requirements: str, lock: str) -> None:
    pinned = {re.split("==", pin)[0] for pin in read_lock(ROOT / lock)}
    assert set() == read_names(ROOT / requirements) - pinned
