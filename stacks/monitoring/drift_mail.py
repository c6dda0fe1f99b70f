"""How drift mails are sent: SES identities, the configuration set, and what becomes of mails."""

from collections.abc import Iterator

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.settings import Settings


class DriftMail(Construct):
    """SES for the drift mails; bounces, complaints and rejections go to the operations topic."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        topic: sns.ITopic,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self._addresses = sorted({settings.mail_from, settings.mail_to})
        self._create_identities(settings)
        configuration = ses.ConfigurationSet(
            self,
            "Configuration",
            reputation_metrics=True,
            suppression_reasons=ses.SuppressionReasons.BOUNCES_AND_COMPLAINTS,
            tls_policy=ses.ConfigurationSetTlsPolicy.REQUIRE,
        )
        self.configuration_set = configuration.configuration_set_name
        self._report_failures(topic, dead_letters)

    def _create_identities(self, settings: Settings) -> None:
        """SES sends from a verified address or domain; in its sandbox only to verified ones too.

        It mails each address a link to verify it. A domain is verified by its DKIM records.
        """
        sender, recipient = settings.mail_from, settings.mail_to
        match settings.stage.mail_identity:
            case "address":
                ses.EmailIdentity(self, "Sender", identity=ses.Identity.email(sender))
            case "domain":
                domain = _domain(sender)
                ses.EmailIdentity(self, "Domain", identity=ses.Identity.domain(domain))
                if _domain(recipient) == domain:
                    return
            case _:  # the account has them already
                return
        if recipient != sender:
            ses.EmailIdentity(self, "Recipient", identity=ses.Identity.email(recipient))

    def _report_failures(self, topic: sns.ITopic, dead_letters: sqs.IQueue) -> None:
        """By way of EventBridge: CloudFormation has failed on SES's own destination of this kind.

        SES publishes to the account's default bus only.
        """
        stack = Stack.of(self)
        ses.CfnConfigurationSetEventDestination(
            self,
            "Failures",
            configuration_set_name=self.configuration_set,
            event_destination={
                "enabled": True,
                "matchingEventTypes": ["bounce", "complaint", "reject"],
                "eventBridgeDestination": {
                    "eventBusArn": stack.format_arn(
                        service="events", resource="event-bus", resource_name="default"
                    )
                },
            },
        )
        events.Rule(
            self,
            "FailedMails",
            event_pattern=events.EventPattern(
                source=["aws.ses"],
                detail={"mail": {"tags": {"ses:configuration-set": [self.configuration_set]}}},
            ),
            targets=[targets.SnsTopic(topic, dead_letter_queue=dead_letters)],
        )

    def grant_send(self, role: iam.IRole) -> None:
        """Send mails between the deployment's addresses.

        SES authorises a mail against the identity that is verified: the address, or its domain, or
        a domain above it. In the sandbox that holds for the recipient too.
        """
        identities = sorted({i for address in self._addresses for i in _identities(address)})
        named = [("identity", identity) for identity in identities]
        named.append(("configuration-set", self.configuration_set))
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["ses:SendEmail"],
                resources=[
                    Stack.of(self).format_arn(service="ses", resource=kind, resource_name=name)
                    for kind, name in named
                ],
            )
        )


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _identities(address: str) -> Iterator[str]:
    """``a@mail.example.org`` → itself, ``mail.example.org``, ``example.org``."""
    yield address
    domain = _domain(address)
    while "." in domain:
        yield domain
        domain = domain.partition(".")[2]
