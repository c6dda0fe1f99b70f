"""What crosses between components is typed; a plain dictionary stands only at an edge."""

from tests.repository import ROOT

UNTYPED = "dict[str, " + "Any]"
LIMIT = 40
"""Each of them decodes or writes what the outside world leaves untyped: a JSON body before it is
checked, an event or answer of AWS, a CloudFormation, OpenAPI or Evidently document.
"""


def test_untyped_dictionaries_stand_only_at_the_edges() -> None:
    packages = {path.parent for path in ROOT.glob("*/__init__.py")} - {ROOT / "tests"}
    assert ROOT / "domain" in packages
    files = [path for package in packages for path in package.rglob("*.py")]
    found = {str(path.relative_to(ROOT)): path.read_text().count(UNTYPED) for path in files}
    counts = {name: count for name, count in sorted(found.items()) if count}
    assert sum(counts.values()) <= LIMIT, (
        "What one module hands to another is a frozen dataclass, which domain.typed_json encodes"
        f" and decodes; too many untyped dictionaries stand in {counts}."
    )
