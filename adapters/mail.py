"""Mail through SES v2."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from adapters.aws import error_code

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import ContentTypeDef


class MailRefused(Exception):
    """SES didn't take the mail; the message is its error code, never an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A mail in both forms; every client shows one of them."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailer:
    """One sender and its recipients. `recipients`: addresses, separated by commas."""

    client: "SESV2Client"
    sender: str
    recipients: str
    configuration_set: str

    def send(self, message: Message) -> str:
        """Returns SES's message id; raises MailRefused."""
        addresses = [part.strip() for part in self.recipients.split(",") if part.strip()]
        try:
            answer = self.client.send_email(
                FromEmailAddress=self.sender,
                Destination={"ToAddresses": addresses},
                ConfigurationSetName=self.configuration_set,
                Content={
                    "Simple": {
                        "Subject": _utf8(message.subject),
                        "Body": {"Text": _utf8(message.text), "Html": _utf8(message.html)},
                    }
                },
            )
        except ClientError as error:
            raise MailRefused(error_code(error) or "unknown") from None
        except BotoCoreError as error:
            raise MailRefused(type(error).__name__) from None
        return answer["MessageId"]


def _utf8(text: str) -> "ContentTypeDef":
    return {"Data": text, "Charset": "UTF-8"}
