"""People of the tests, and how they sign in at the hosted page without a browser."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from domain.model.champion import ModelRef
from ops.target import Target

PASSWORD = "Correct-horse-9-battery"
OLD, NEW = ModelRef.of(1, "a" * 64), ModelRef.of(2, "b" * 64)
"""The champion before, and the one that serves."""


@dataclass(frozen=True)
class Pool:
    """The user pool of a deployment on the emulator, and the dashboard as its client."""

    target: Target
    endpoint: str

    @property
    def page(self) -> str:
        """Where the hosted page sends people back to."""
        return f"{self.target.deployment.api_url}/"

    @property
    def id(self) -> str:
        """The pool's id."""
        return self.target.deployment.user_pool

    @property
    def idp(self) -> Any:
        """A client of Cognito."""
        return self.target.client("cognito-idp")

    @property
    def client_id(self) -> str:
        """The dashboard's."""
        (found,) = self.target.resources.names("AWS::Cognito::UserPoolClient")
        return found

    def add(self, mail: str, *groups: str) -> None:
        """A person who has chosen a password."""
        self.idp.admin_create_user(
            UserPoolId=self.id, Username=mail, UserAttributes=[{"Name": "email", "Value": mail}]
        )
        self.idp.admin_set_user_password(
            UserPoolId=self.id, Username=mail, Password=PASSWORD, Permanent=True
        )
        for group in groups:
            self.idp.admin_add_user_to_group(UserPoolId=self.id, Username=mail, GroupName=group)

    def tokens(self, mail: str) -> dict[str, str]:
        """What signing in by authorization code and PKCE gives."""
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "client_id": self.client_id,
            "redirect_uri": self.page,
            "response_type": "code",
            "scope": "openid email",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        form = requests.get(f"{self.endpoint}/oauth2/authorize", params=asked, timeout=60)
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form.text))
        done = requests.post(
            f"{self.endpoint}/login",
            data=asked | fields | {"username": mail, "password": PASSWORD},
            allow_redirects=False,
            timeout=60,
        )
        (code,) = parse_qs(urlsplit(done.headers["Location"]).query)["code"]
        answer = requests.post(
            f"{self.endpoint}/oauth2/token",
            data={
                "grant_type": "authorization_code",
                "client_id": asked["client_id"],
                "redirect_uri": self.page,
                "code": code,
                "code_verifier": verifier,
            },
            timeout=60,
        )
        tokens: dict[str, str] = answer.json()
        return tokens
