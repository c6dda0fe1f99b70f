"""Where people sign in: a user pool of Amazon Cognito with its hosted page, and a group each role.

The pool knows people; the API's authorizer checks their tokens, and the routes their groups. Nobody
signs up alone: `ops user add` invites.
"""

from typing import cast

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from domain.api.people import GROUPS
from domain.deployment import Names
from stacks.common.nag import acknowledge
from stacks.stage import Stage
from stacks.target import Target

TOKEN_LIFE = Duration.hours(1)
"""How long a token works for somebody who was removed meanwhile: nothing asks the pool again."""

ACCEPTED = {
    "AwsSolutions-COG2": "`login_mfa` requires a second factor, as prod does; each person may set "
    "one up anyway. The rule compares with a word that no template contains.",
    "AwsSolutions-COG8": "The Plus plan is paid by the person. Nobody can sign up, guessed "
    "passwords lock an account for a while, and `login_mfa` adds a second factor.",
}
"""Findings of cdk-nag and why they are accepted."""


class SignIn(Construct):
    """The pool, its groups, its hosted page, and the dashboard as its only client.

    `page_url`: the dashboard's address, where the hosted page sends people back to.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: Names,
        stage: Stage,
        page_url: str,
        target: Target,
    ) -> None:
        super().__init__(scope, construct_id)
        self.pool = self._create_pool(names, stage, page_url)
        for group, description in GROUPS.items():
            self.pool.add_group(group.capitalize(), group_name=group, description=description)
        prefix = f"{names.base}-{Aws.ACCOUNT_ID}"
        self.url = target.sign_in_url(prefix, Stack.of(self).region)
        self.pool.add_domain(
            "Domain",
            cognito_domain=cognito.CognitoDomainOptions(domain_prefix=prefix),
        )
        self.client_id = self._create_client(stage, page_url).user_pool_client_id

    def _create_pool(self, names: Names, stage: Stage, page_url: str) -> cognito.UserPool:
        required = stage.login_mfa == "required"
        pool = cognito.UserPool(
            self,
            "People",
            user_pool_name=names.base,
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            standard_attributes=cognito.StandardAttributes(
                email=cognito.StandardAttribute(required=True, mutable=True)
            ),
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=True,
                temp_password_validity=Duration.days(3),
            ),
            mfa=cognito.Mfa.REQUIRED if required else cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            feature_plan=cognito.FeaturePlan.ESSENTIALS,
            user_invitation=cognito.UserInvitationConfig(
                email_subject=f"Your access to {names.base}",
                email_body=f"You may sign in to {names.base} at {page_url} as {{username}} with the"
                " temporary password {####} within three days. Then you choose your own.",
            ),
            deletion_protection=stage.retain,
            removal_policy=RemovalPolicy.RETAIN if stage.retain else RemovalPolicy.DESTROY,
        )
        acknowledge(pool, ACCEPTED)
        return pool

    def _create_client(self, stage: Stage, page_url: str) -> cognito.UserPoolClient:
        """The page's client: authorization code with PKCE, no secret, and no other way in."""
        providers = [cognito.UserPoolClientIdentityProvider.COGNITO]
        if stage.login_provider:
            providers.append(cognito.UserPoolClientIdentityProvider.custom(stage.login_provider))
        client = self.pool.add_client(
            "Dashboard",
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL],
                callback_urls=[page_url],
                logout_urls=[page_url],
            ),
            supported_identity_providers=providers,
            id_token_validity=TOKEN_LIFE,
            access_token_validity=TOKEN_LIFE,
            refresh_token_validity=TOKEN_LIFE,
            prevent_user_existence_errors=True,
        )
        # Without this, CloudFormation would allow passwords to be sent from anywhere.
        child = cast(cognito.CfnUserPoolClient, client.node.default_child)
        child.explicit_auth_flows = ["ALLOW_REFRESH_TOKEN_AUTH"]
        return client
