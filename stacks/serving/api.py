"""The REST API: one stage, a key and a usage plan, and an authorizer where people sign in.

The gateway's own answers are problem+json.
"""

import json
from typing import Any, Literal

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from domain.deployment import Names
from stacks.common.logs import create_log_group
from stacks.common.nag import acknowledge
from stacks.stage import Stage

STAGE_NAME = "v1"

Caller = Literal["service", "person", "anybody"]
"""Who calls a method: a service with the key, a person, or anybody without either.

A person has signed in where the stage has a login, and has the key where it hasn't.
"""

NO_KEY = "Send your API key in the header x-api-key."
PROBLEMS: dict[str, tuple[str, str, str]] = {
    # gateway response type: (status, title, what to do)
    "INVALID_API_KEY": ("403", "Forbidden", NO_KEY),
    "ACCESS_DENIED": ("403", "Forbidden", NO_KEY),
    "MISSING_AUTHENTICATION_TOKEN": ("404", "Not Found", "GET /openapi.json lists every route."),
    "RESOURCE_NOT_FOUND": ("404", "Not Found", "GET /openapi.json lists every route."),
    "REQUEST_TOO_LARGE": ("413", "Content Too Large", "Send fewer instances per request."),
    "UNSUPPORTED_MEDIA_TYPE": ("415", "Unsupported Media Type", "Send application/json."),
    "THROTTLED": ("429", "Too Many Requests", "Wait a second, then send it again."),
    "QUOTA_EXCEEDED": ("429", "Too Many Requests", "The day's quota of this key is used up."),
    "INTEGRATION_TIMEOUT": ("504", "Gateway Timeout", "Send it again, or fewer instances."),
    "DEFAULT_4XX": ("", "Bad Request", "GET /openapi.json says what a request looks like."),
    "DEFAULT_5XX": ("", "Service Unavailable", "Try again in a minute."),
}

NO_TOKEN = ("401", "Not signed in", "Sign in, and send the identity token as Authorization.")

_KEY = "An API key with a usage plan: callers are an organisation's services, not people."
ACCEPTED = {
    "AwsSolutions-APIG2": "The functions validate: the gateway's 400 would hide the errors.",
    "AwsSolutions-APIG3": "A web ACL costs more than the rest of a small stage; throttles are set.",
    "AwsSolutions-APIG4": _KEY,
    "AwsSolutions-APIG6": "Access logs are on; execution logs would hold feature values.",
    "AwsSolutions-COG4": _KEY,
    "Serverless-APIGWXrayEnabled": "A trace would hold callers' addresses and links to reports.",
    "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
    "AmazonAPIGatewayPushToCloudWatchLogs]": "The role that AWS documents for API Gateway's logs.",
}
"""Findings of cdk-nag and why they are accepted."""


class KeyedApi(Construct):
    """An API whose methods need the key unless they are added for somebody else."""

    def __init__(
        self, scope: Construct, construct_id: str, *, names: Names, stage: Stage, key: kms.IKey
    ) -> None:
        super().__init__(scope, construct_id)
        self._answered: set[str] = set()
        self._peoples: dict[str, Any] = {"api_key_required": True}
        self.rest_api = apigateway.RestApi(
            self,
            "Rest",
            rest_api_name=names.base,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=True,  # access logs need the account to have one
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE_NAME,
                throttling_rate_limit=stage.requests_per_second,
                throttling_burst_limit=stage.request_burst,
                # Those of the whole API are free and enough for its alarm; each method's are paid.
                metrics_enabled=False,
                data_trace_enabled=False,  # it would log bodies
                access_log_destination=apigateway.LogGroupLogDestination(
                    create_log_group(self, stage, key, "AccessLog")
                ),
                access_log_format=_access_log(has_login=stage.login != "none"),
            ),
        )
        self.rest_api.node.try_remove_child("Endpoint")  # an output that is wrong on an emulator
        acknowledge(self.rest_api, ACCEPTED)
        for name, problem in PROBLEMS.items():
            self._gateway_response(name, *problem)
        self.key = self.rest_api.add_api_key("Key")
        plan = self.rest_api.add_usage_plan(
            "Plan",
            throttle=apigateway.ThrottleSettings(
                rate_limit=stage.requests_per_second, burst_limit=stage.request_burst
            ),
            quota=apigateway.QuotaSettings(
                limit=stage.requests_per_day, period=apigateway.Period.DAY
            ),
        )
        plan.add_api_key(self.key)
        plan.add_api_stage(stage=self.rest_api.deployment_stage)

    def let_in(self, people: cognito.IUserPool) -> None:
        """Let people in by a token of this pool, instead of by the key."""
        authorizer = apigateway.CognitoUserPoolsAuthorizer(
            self, "Authorizer", cognito_user_pools=[people]
        )
        self._peoples = {
            "api_key_required": False,
            "authorization_type": apigateway.AuthorizationType.COGNITO,
            "authorizer": authorizer,
        }
        self._gateway_response("UNAUTHORIZED", *NO_TOKEN)

    def add(
        self, method: str, path: str, function: lambda_.IFunction, *, caller: Caller = "service"
    ) -> None:
        """Send `method` of `path` (``/reports/{run_id}``) to the function.

        The first function of a path also gets all methods that were not added, to answer 405.
        """
        resource = self.rest_api.root.resource_for_path(path)
        integration = apigateway.LambdaIntegration(function, allow_test_invoke=False)
        keyed = {"api_key_required": True}
        options = {
            "service": keyed,
            "person": self._peoples,
            "anybody": {"api_key_required": False},
        }
        resource.add_method(method, integration, **options[caller])
        if path not in self._answered:
            self._answered.add(path)
            others = self._peoples if caller == "person" else keyed
            resource.add_method("ANY", integration, **others)

    def _gateway_response(self, name: str, status: str, title: str, detail: str) -> None:
        body = {"type": "about:blank", "title": title, "detail": detail}
        if status:
            body["status"] = int(status)  # type: ignore[assignment]  # RFC 9457: a number
        self.rest_api.add_gateway_response(
            name.title().replace("_", ""),
            type=apigateway.ResponseType.of(name),
            status_code=status or None,
            templates={"application/json": json.dumps(body)},
            response_headers={
                "Content-Type": "'application/problem+json'",
                "Cache-Control": "'no-store'",
            },
        )


def _access_log(*, has_login: bool) -> apigateway.AccessLogFormat:
    """The caller, route and outcome of a call, but no path, query, body or address."""
    fields = {
        "requestId": apigateway.AccessLogField.context_request_id(),
        "time": apigateway.AccessLogField.context_request_time_epoch(),
        "keyId": apigateway.AccessLogField.context_identity_api_key_id(),
        "method": apigateway.AccessLogField.context_http_method(),
        "route": apigateway.AccessLogField.context_resource_path(),
        "status": apigateway.AccessLogField.context_status(),
        "milliseconds": apigateway.AccessLogField.context_response_latency(),
        "bytes": apigateway.AccessLogField.context_response_length(),
    }
    if has_login:
        fields["person"] = apigateway.AccessLogField.context_authorizer_claims("email")
    return apigateway.AccessLogFormat.custom(json.dumps(fields))
