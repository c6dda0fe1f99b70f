"""Environment variables of the decisions function."""

from dataclasses import dataclass

from domain.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Environment):
    """`operator_command`: how the operator's command line is called for this deployment."""

    reports_bucket: str
    api_url: str
    operator_command: str
    mail_from: str
    mail_to: str
    configuration_set: str
