"""cdk-nag's four packs: nothing unacknowledged in two, a true page about the two others."""

import os
from collections.abc import Callable

import cdk_nag
import pytest
from aws_cdk import App

from tests.infra.assembly import Assembly
from tests.infra.security import compliance

Applications = Callable[[str, str], tuple[App, Assembly]]


@pytest.fixture(scope="module")
def findings(applications: Applications) -> list[compliance.Finding]:
    return compliance.find(applications)


def test_the_page_lists_what_the_packs_find_today(
    findings: list[compliance.Finding], applications: Applications
) -> None:
    resources = {
        stage: compliance.list_resources(applications("aws", stage)[1].folder, stage)
        for stage in compliance.STAGES
    }
    page = compliance.write(findings, compliance.Reasons.read(), resources)
    if os.environ.get("UPDATE_COMPLIANCE"):
        compliance.PAGE.write_text(page)
    assert page == compliance.PAGE.read_text(), "UPDATE_COMPLIANCE=1 writes it"


def test_every_reason_is_about_a_finding_and_nothing_fixed_is_open(
    findings: list[compliance.Finding],
) -> None:
    reasons, found = compliance.Reasons.read(), {finding.rule for finding in findings}
    assert found == set(reasons.open)
    assert set() == found & set(reasons.fixed)


@pytest.mark.parametrize("pack", ["AwsSolutionsChecks", "ServerlessChecks"])
@pytest.mark.parametrize("stage", compliance.STAGES)
def test_aws_solutions_and_serverless_find_nothing_unacknowledged(
    applications: Applications, stage: str, pack: str
) -> None:
    app, _ = applications("aws", stage)
    report = getattr(cdk_nag, pack)(app).validate_scope(app)
    assert [] == [violation.rule_name for violation in report.violations]
