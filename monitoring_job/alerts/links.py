"""Links to reports. They don't expire like presigned URLs, and each opens one report only."""

from dataclasses import dataclass

from domain.api.report_token import ReportSecret


@dataclass(frozen=True, slots=True)
class Links:
    """Links under the API's base URL, signed with the report secret."""

    api_url: str
    secret: ReportSecret

    def report(self, run_id: str, report: str) -> str:
        """The link to a report, for mails."""
        token = self.secret.sign(run_id, report)
        return f"{self.api_url.rstrip('/')}/reports/{run_id}/{report}?t={token}"

    def dashboard(self, run_id: str) -> str:
        """The link to a run on the dashboard, which asks for the API key."""
        return f"{self.api_url.rstrip('/')}/#/drift/{run_id}"
