"""Checks of an account and of the machine that deploys to it; most matter before a deployment."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ops.bill.cost_idle import Stage
from ops.commands.account.cost import synthesise
from ops.doctor.deployed import find_deployment
from ops.doctor.finding import Check, Finding, note, ok, problem
from ops.errors import OpsError
from ops.laptop import ROOT
from ops.target import Target

BOOTSTRAP_VERSION = "/cdk-bootstrap/hnb659fds/version"
NEW_ACCOUNT_MEMORY = 3008
"""MiB that a function of a new account may have."""
ENOUGH_CONCURRENCY = 50
"""Functions at once: below it, a burst of requests throttles the predictor."""
FREE_PLAN_BACKUP_DAYS = 1
PLAN_REGION = "us-east-1"
"""The plan of an account is asked there, wherever the account works."""
DOCKER_SECONDS = 30
PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}
QUOTAS = "Ask for more: https://console.aws.amazon.com/servicequotas/home/services"

Execute = Callable[[list[str]], "subprocess.CompletedProcess[str]"]


def _execute(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, capture_output=True, text=True, timeout=DOCKER_SECONDS, check=False
    )


@dataclass(frozen=True)
class AccountChecks:
    """The checks of one account for one stage.

    `mail_from`: the sender, who is known without it once the stage is deployed. `execute` runs
    Docker's command line.
    """

    stage: str
    name: str
    mail_from: str | None
    execute: Execute = field(default=_execute)

    @property
    def checks(self) -> tuple[Check, ...]:
        """In the order in which a first deployment would meet them."""
        return (
            Check("credentials", self.check_credentials),
            Check("settings", self.check_settings),
            Check("bootstrap", self.check_bootstrap),
            Check("Docker", self.check_docker),
            Check("Lambda", self.check_lambda),
            Check("Fargate", self.check_fargate),
            Check("account plan", self.check_plan),
            Check("mail", self.check_mail),
        )

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The stage in cdk.json; raises OpsError for an unknown one."""
        stages: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]["stages"]
        if self.stage not in stages:
            raise OpsError(
                f"cdk.json has no stage {self.stage}.",
                f"Choose one with --stage: {', '.join(stages)}.",
            )
        found: Mapping[str, Any] = stages[self.stage]
        return found

    @cached_property
    def templates(self) -> tuple[Stage, int]:
        """The stage as synthesised, and the bootstrap version that it needs; raises OpsError."""
        _ = self.settings
        with tempfile.TemporaryDirectory() as folder:
            synthesise(self.stage, Path(folder), name=self.name)
            manifest = json.loads((Path(folder) / "manifest.json").read_text())
            versions = [
                artifact["properties"].get("requiresBootstrapStackVersion", 0)
                for artifact in manifest["artifacts"].values()
                if artifact["type"] == "aws:cloudformation:stack"
            ]
            return Stage.read(Path(folder)), max(versions)

    def check_credentials(self, target: Target) -> Iterator[Finding]:
        """Whose account and which region."""
        client = target.client("sts")
        identity = client.get_caller_identity()
        yield ok(
            f"Account {identity['Account']}, region {client.meta.region_name}, as "
            f"{identity['Arn'].rsplit(':', 1)[-1]}."
        )
        if identity["Arn"].endswith(":root"):
            yield note(
                "These are the credentials of the account's root user.",
                "Create a role or user for deployments.",
            )

    def check_settings(self, _: Target) -> Iterator[Finding]:
        """Whether the stage can be synthesised."""
        stage, _version = self.templates
        yield ok(f"Stage {self.stage} makes {len(stage.resources)} resources.")

    def check_bootstrap(self, target: Target) -> Iterator[Finding]:
        """Whether account and region are prepared for the CDK."""
        from botocore.exceptions import ClientError

        from adapters.aws import error_code

        command = f"make bootstrap STAGE={self.stage} MAIL_FROM=ADDRESS"
        try:
            answer = target.client("ssm").get_parameter(Name=BOOTSTRAP_VERSION)
        except ClientError as error:
            if error_code(error) != "ParameterNotFound":
                raise
            yield problem("Account and region are not prepared for the CDK.", command)
            return
        version, needed = int(answer["Parameter"]["Value"]), self.templates[1]
        if version < needed:
            yield problem(f"The bootstrap has version {version}; {needed} is needed.", command)
        else:
            yield ok(f"The bootstrap has version {version}.")

    def check_docker(self, target: Target) -> Iterator[Finding]:
        """Whether the images can be built here; once deployed, that is only worth a note."""
        say = problem if find_deployment(target) is None else note
        if shutil.which("docker") is None:
            yield say(
                "Docker is not installed; the images are built with it.",
                "Install Docker with BuildKit, or deploy from CI.",
            )
            return
        try:
            engine = self.execute(["docker", "version", "--format", "{{.Server.Version}}"])
            inspected = self.execute(["docker", "buildx", "inspect"])
        except subprocess.TimeoutExpired:
            yield say("Docker doesn't answer.", "Restart the Docker engine.")
            return
        if engine.returncode:
            yield say("No Docker engine answers.", "Start one, or point DOCKER_HOST at one.")
            return
        if inspected.returncode:
            yield say(
                "Docker lacks BuildKit.", "Install its plugin buildx (Debian: docker-buildx)."
            )
            return
        platform = PLATFORMS[self.settings["architecture"]]
        if platform in list_platforms(inspected.stdout):
            yield ok(f"Docker {engine.stdout.strip()} builds for {platform}.")
        else:
            yield say(
                f"Docker can't build for {platform}.",
                "docker run --privileged --rm tonistiigi/binfmt --install "
                f"{platform.removeprefix('linux/')}, or set another architecture in cdk.json.",
            )

    def check_lambda(self, target: Target) -> Iterator[Finding]:
        """Whether the account runs enough functions at once, and as large as the stage's."""
        limit = target.client("lambda").get_account_settings()["AccountLimit"]
        at_once = limit["ConcurrentExecutions"]
        functions = self.templates[0].of("AWS::Lambda::Function")
        memory = max(int(properties.get("MemorySize", 128)) for _, properties in functions)
        if at_once < ENOUGH_CONCURRENCY:
            yield note(
                f"The account runs {at_once} functions at once, so a burst of requests is "
                "throttled.",
                f"{QUOTAS}/lambda/quotas (Concurrent executions).",
            )
        else:
            yield ok(f"The account runs {at_once} functions at once.")
        if memory > NEW_ACCOUNT_MEMORY:
            yield note(
                f"A function has {memory} MB; new accounts allow {NEW_ACCOUNT_MEMORY}.",
                "If Lambda refuses it, open a case with AWS Support.",
            )

    def check_fargate(self, target: Target) -> Iterator[Finding]:
        """Whether MLflow and one training fit into the account's vCPUs."""
        pages = target.client("service-quotas").get_paginator("list_service_quotas")
        quotas = {
            quota["QuotaName"]: float(quota["Value"])
            for page in pages.paginate(ServiceCode="fargate")
            for quota in page["Quotas"]
        }
        stage = self.settings
        server, training = stage["mlflow_cpu"] / 1024, stage["training_cpu"] / 1024
        kind = "Spot" if stage["training_spot"] else "On-Demand"
        wanted = {"On-Demand": server}
        wanted[kind] = wanted.get(kind, 0.0) + training
        fits = True
        for how, cpus in wanted.items():
            quota = next(
                (v for n, v in quotas.items() if how.lower() in n.lower() and "vCPU" in n), None
            )
            if quota is not None and quota < cpus:
                fits = False
                yield problem(
                    f"The stage needs {cpus:g} vCPUs of Fargate {how}; the account has {quota:g}.",
                    f"{QUOTAS}/fargate/quotas",
                )
        if fits:
            needs = " and ".join(f"{cpus:g} vCPUs {how}" for how, cpus in wanted.items())
            yield ok(f"Fargate has room for {needs}.")

    def check_plan(self, target: Target) -> Iterator[Finding]:
        """Whether the account's plan refuses what the stage asks for."""
        plan = target.client("freetier", region=PLAN_REGION).get_account_plan_state()
        if plan["accountPlanType"] != "FREE":
            yield ok("The account pays for what it uses.")
            return
        days = self.settings["database_backup_days"]
        if days > FREE_PLAN_BACKUP_DAYS:
            yield problem(
                f"The Free plan refuses database backups for {days} days.",
                f"Set database_backup_days of {self.stage} to 1 in cdk.json, or upgrade the plan.",
            )
        left = plan.get("accountPlanRemainingCredits", {})
        ends = plan.get("accountPlanExpirationDate")
        until = f" until {ends:%Y-%m-%d}" if ends else ""
        yield note(
            f"The account is on the Free plan{until}, with credits of "
            f"{left.get('amount', 0):g} {left.get('unit', 'USD')}.",
            f"python -m ops --stage {self.stage} cost says what a month costs.",
        )

    def check_mail(self, target: Target) -> Iterator[Finding]:
        """Whether SES sends, and whom it has verified."""
        client = target.client("sesv2")
        account = client.get_account()
        if not account["SendingEnabled"]:
            yield problem(
                "SES has stopped sending for this account.", "Read why in the SES console."
            )
        sandbox = not account["ProductionAccessEnabled"]
        if sandbox:
            yield note(
                "SES is in its sandbox: recipients must be verified too, and 200 mails a day are "
                "sent.",
                "Ask for production access in the SES console when you need more.",
            )
        wanted = self._addresses(target, sandbox=sandbox)
        if not wanted:
            yield note(
                "Sender and recipient are not known before the first deployment.",
                "python -m ops doctor --mail-from ADDRESS",
            )
            return
        verified = {address: _is_verified(client, address) for address in wanted}
        for address, done in verified.items():
            if done is None and self.settings["mail_identity"] != "none":
                yield note(
                    f"SES doesn't know {address} yet; the deployment makes it verify the address.",
                    "Click the link in its mail, or publish its DKIM records.",
                )
            elif not done:
                yield problem(
                    f"SES has not verified {address}, so no drift mail is sent.",
                    "Click the link in SES's mail, or publish the domain's DKIM records.",
                )
        if all(verified.values()):
            yield ok(f"SES has verified {' and '.join(verified)}.")

    def _addresses(self, target: Target, *, sandbox: bool) -> list[str]:
        """Who must be verified: the sender, and in the sandbox the recipient too."""
        deployment = find_deployment(target)
        if self.mail_from is not None or deployment is None:
            return [self.mail_from] if self.mail_from else []
        function = target.client("lambda").get_function_configuration(
            FunctionName=deployment.drift_function
        )
        variables = function["Environment"]["Variables"]
        names = ("MAIL_FROM", "MAIL_TO") if sandbox else ("MAIL_FROM",)
        return list(dict.fromkeys(variables[name] for name in names))


def list_platforms(inspected: str) -> set[str]:
    """Platforms of all nodes in what ``docker buildx inspect`` prints."""
    lines = [line for line in inspected.splitlines() if line.strip().startswith("Platforms:")]
    names = ",".join(line.partition(":")[2] for line in lines).split(",")
    return {name.strip().rstrip("*") for name in names if name.strip()}


def _is_verified(client: Any, address: str) -> bool | None:
    """Whether SES has verified the address, or a domain it is in; None if it knows neither."""
    from botocore.exceptions import ClientError

    from adapters.aws import error_code

    known = None
    identity = address
    while "." in identity:
        try:
            if client.get_email_identity(EmailIdentity=identity)["VerifiedForSendingStatus"]:
                return True
            known = False
        except ClientError as error:
            if error_code(error) != "NotFoundException":
                raise
        at_domain = "@" in identity
        identity = identity.partition("@" if at_domain else ".")[2]
    return known
