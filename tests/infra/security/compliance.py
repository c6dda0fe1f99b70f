"""docs/compliance.md: findings of two packs of cdk-nag, and why each stays open."""

import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cdk_nag
from aws_cdk import App

from tests.infra.assembly import Assembly
from tests.repository import ROOT

PAGE = ROOT / "docs" / "compliance.md"
PACKS = {"HIPAA.Security": "HIPAASecurityChecks", "NIST.800.53.R5": "NIST80053R5Checks"}
STAGES = ("dev", "prod")

HEAD = """# Findings of HIPAA.Security and NIST.800.53.R5

For whoever reviews the templates. `make synth` fails on any finding of cdk-nag's packs AwsSolutions
and Serverless that has no reason beside the resource in `stacks/`. Two more packs ask for more than
every deployment wants to pay for. Their findings are listed here, each with the reason why it stays
open, so that you can decide otherwise for your deployment.

Passing these rules makes no system compliant with HIPAA or NIST 800-53, and this page claims no
such thing: see [what is not promised](security.md#what-is-not-promised).

The page is generated from the templates of both stages and from
`tests/infra/security/compliance.toml`, and a test compares. `UPDATE_COMPLIANCE=1
make unit ARGS="-k compliance"` writes it.
"""


@dataclass(frozen=True, order=True)
class Finding:
    """A rule that a resource of one stage breaks; `resource` is its path below the stage's name."""

    rule: str
    pack: str
    resource: str
    stage: str


@dataclass(frozen=True)
class Reasons:
    """What compliance.toml says: rule → why it stays open, rule → what fixed it."""

    open: Mapping[str, str]
    fixed: Mapping[str, str]

    @classmethod
    def read(cls) -> "Reasons":
        """Read the file."""
        document = tomllib.loads(Path(__file__).with_name("compliance.toml").read_text())
        return cls(
            {rule: entry["why"] for rule, entry in document["open"].items()}, document["fixed"]
        )


def find(applications: Callable[[str, str], tuple[App, Assembly]]) -> list[Finding]:
    """All findings of both packs in both stages."""
    return [
        Finding(
            rule=violation.rule_name.removeprefix(f"{pack}-"),
            pack=pack,
            resource=_short(resource.construct_path, stage),
            stage=stage,
        )
        for stage in STAGES
        for pack, checks in PACKS.items()
        for app in [applications("aws", stage)[0]]
        for violation in getattr(cdk_nag, checks)(app).validate_scope(app).violations
        for resource in violation.violating_resources
    ]


def _short(path: str, stage: str) -> str:
    return path.removeprefix(f"circle-{stage}-").removesuffix("/Resource")


def list_resources(folder: Path, stage: str) -> set[str]:
    """Short paths of everything in a synthesised application."""

    def paths(node: Mapping[str, Any]) -> Iterator[str]:
        yield _short(node["path"], stage)
        for child in node.get("children", {}).values():
            yield from paths(child)

    return set(paths(json.loads((folder / "tree.json").read_text())["tree"]))


def write(findings: Iterable[Finding], reasons: Reasons, resources: Mapping[str, set[str]]) -> str:
    """The whole page; `resources`: those of each stage."""
    found = sorted(findings)
    counts = ", ".join(
        f"{len({(f.rule, f.resource) for f in found if f.stage == stage})} in {stage}"
        for stage in STAGES
    )
    rules = sorted({finding.rule for finding in found})
    lines = [
        HEAD,
        "## Open",
        "",
        f"Pairs of rule and resource: {counts}. A resource that a stage lacks is absent.",
        "",
    ]
    lines += [
        "| rule | packs | resource | dev | prod | why it stays open |",
        "|---|---|---|---|---|---|",
    ]
    for rule in rules:
        of_rule = [finding for finding in found if finding.rule == rule]
        packs = ", ".join(sorted({finding.pack.split(".")[0] for finding in of_rule}))
        for resource in sorted({finding.resource for finding in of_rule}):
            open_in = {f.stage for f in of_rule if f.resource == resource}
            states = [
                "open" if stage in open_in else "met" if resource in resources[stage] else "absent"
                for stage in STAGES
            ]
            cells = [f"`{rule}`", packs, f"`{resource}`", *states, reasons.open[rule]]
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## Fixed in both stages", "", "| rule | what fixed it |", "|---|---|"]
    lines += [f"| `{rule}` | {how} |" for rule, how in sorted(reasons.fixed.items())]
    return "\n".join(lines) + "\n"
