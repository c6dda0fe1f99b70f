"""A bucket for health data: private, encrypted with our key, over TLS only."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.common.nag import acknowledge
from stacks.stage import Stage


class PrivateBucket(s3.Bucket):
    """A bucket that blocks public access, encrypts and enforces TLS.

    `expire`: prefix → days until its objects are deleted; None: never. An object that was
    overwritten or deleted can be recovered for the stage's `noncurrent_days`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        key: kms.IKey,
        expire: dict[str, int | None] | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,  # far fewer calls to KMS than one per object
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            removal_policy=RemovalPolicy.RETAIN if stage.retain else RemovalPolicy.DESTROY,
            lifecycle_rules=[
                s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(3)),
                *_expiry(expire or {}),
                s3.LifecycleRule(
                    noncurrent_version_expiration=Duration.days(stage.noncurrent_days),
                    expired_object_delete_marker=True,
                ),
            ],
        )
        acknowledge(
            self,
            {
                "AwsSolutions-S1": (
                    "Server access logs come late and incomplete. To account for reads of health"
                    " data, turn on CloudTrail's data events for the account."
                )
            },
        )


def _expiry(expire: dict[str, int | None]) -> list[s3.LifecycleRule]:
    return [
        s3.LifecycleRule(prefix=prefix, expiration=Duration.days(days))
        for prefix, days in expire.items()
        if days is not None
    ]
