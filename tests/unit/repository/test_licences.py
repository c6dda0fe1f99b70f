"""The licences of everything that is installed: permissive, or an exception with its reason."""

import importlib.metadata
import re

import pytest

PERMISSIVE = re.compile(
    r"\b(MIT|MIT-0|MIT-CMU|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|Zlib|CC0|Unlicense"
    r"|HPND|CNRI|TCL|AFL|Public Domain)",
    re.IGNORECASE,
)
RESTRICTIVE = re.compile(
    r"GPL|General Public|MPL|Mozilla|EPL|Eclipse|CDDL|proprietary", re.IGNORECASE
)

EXCEPTIONS = {
    "asyncssh": "EPL-2.0 or GPL-2.0: the emulator's, never part of a deployment",
    "certifi": "MPL-2.0: certificates, unmodified",
    "huey": "its metadata names none; its file LICENSE is MIT's",
    "hypothesis": "MPL-2.0: tests only",
    "pathspec": "MPL-2.0: checks only",
    "psycopg2-binary": "LGPL with exceptions: an unmodified library in the tracking server's image",
    "skops": "its metadata names none; its file LICENSE is MIT's",
    "tqdm": "MPL-2.0 and MIT: unmodified",
}


def read_licence(distribution: importlib.metadata.Distribution) -> str:
    """What the package says of itself: an expression, else its classifiers, else a first line."""
    metadata = distribution.metadata
    classifiers = [
        text.rpartition(" :: ")[2]
        for text in metadata.get_all("Classifier", [])
        if text.startswith("License :: ")
    ]
    own = _field(metadata, "License").split("\n")[0]
    named = [text for text in classifiers if text != "OSI Approved"]  # which says nothing
    return _field(metadata, "License-Expression") or "; ".join(named) or own


def _field(metadata: importlib.metadata.PackageMetadata, name: str) -> str:
    return metadata[name].strip() if name in metadata else ""


def judge(licence: str) -> str:
    """What is wrong with a licence; empty if it is permissive."""
    if not licence:
        return "names no licence"
    choices = re.split(r"\bOR\b", licence)
    if any(PERMISSIVE.search(c) and not RESTRICTIVE.search(c) for c in choices):
        return ""
    return f"has the licence {licence}"


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND CNRI-Python", True),
        ("BSD License; Apache Software License", True),
        ("GPL-2.0-or-later OR MIT", True),
        ("MPL-2.0 AND MIT", False),
        ("GNU Library or Lesser General Public License (LGPL)", False),
        ("EPL-2.0 OR GPL-2.0-or-later", False),
        ("A licence of our own", False),
        ("", False),
    ],
)
def test_a_licence_is_permissive_if_every_part_or_one_choice_is(
    licence: str, allowed: bool
) -> None:
    assert allowed is (not judge(licence))


def test_every_installed_package_is_permissive_or_a_known_exception() -> None:
    judged = {
        distribution.metadata["Name"].lower().replace("_", "-"): judge(read_licence(distribution))
        for distribution in importlib.metadata.distributions()
    }
    found = {name: problem for name, problem in judged.items() if problem}
    assert set(EXCEPTIONS) == set(found), found
