"""The webhook beside the mails: its secret, and what its senders need."""

import string
from typing import Any

from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.common import grants
from stacks.common.nag import acknowledge
from stacks.settings import Settings
from stacks.storage.storage import StorageStack
from stacks.target import Target

KEY_LENGTH = 64
"""Letters and digits, which are base64 of 48 bytes."""


class WebhookChannel(Construct):
    """Holds URL and signing key; a stage without a webhook has neither secret nor rights."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        target: Target,
        storage: StorageStack,
    ) -> None:
        super().__init__(scope, construct_id)
        self._format = settings.stage.webhook
        self._allow_private = target.allows_private_webhooks
        self.secret: secretsmanager.Secret | None = None
        if self._format == "none":
            return
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description="The webhook's URL, which an operator sets, and the key of its signatures",
            encryption_key=storage.key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template='{"url": ""}',  # noqa: S106 - no password
                generate_string_key="key",
                password_length=KEY_LENGTH,
                # Not exclude_punctuation, which the emulator ignores.
                exclude_characters=string.punctuation,
            ),
        )
        acknowledge(
            self.secret,
            {"AwsSolutions-SMG4": "`ops --stage STAGE webhook set` changes it."},
        )

    def settings(self) -> dict[str, Any]:
        """Those of a component that sends messages."""
        if self.secret is None:
            return {}
        return {
            "webhook_format": self._format,
            "webhook_secret_arn": self.secret.secret_arn,
            "webhook_allow_private": self._allow_private,
        }

    def grant_send(self, role: iam.IRole) -> None:
        """Let the role read URL and key, which is all that sending needs."""
        if self.secret is not None:
            grants.read_secret(role, self.secret)
