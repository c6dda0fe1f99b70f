"""Grants on objects under prefixes: narrower than CDK's `grant_read`, which lists and more."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from stacks.common.nag import acknowledge, wildcard_finding


def read(role: iam.IRole, bucket: s3.IBucket, *keys: str) -> None:
    """Read the objects `keys`; a ``*`` stands for anything, a trailing one makes a prefix."""
    _grant(role, bucket, keys, ["s3:GetObject"])
    if bucket.encryption_key:
        bucket.encryption_key.grant(role, "kms:Decrypt")


def write(role: iam.IRole, bucket: s3.IBucket, *keys: str, in_parts: bool = False) -> None:
    """Write the objects `keys`; a trailing ``*`` makes one a prefix. `in_parts`: large ones too."""
    _grant(role, bucket, keys, ["s3:PutObject", *(["s3:AbortMultipartUpload"] if in_parts else [])])
    if bucket.encryption_key:
        # S3 reads the parts of a multipart upload when it joins them.
        decrypt = ["kms:Decrypt"] if in_parts else []
        bucket.encryption_key.grant(role, "kms:GenerateDataKey", *decrypt)


def list_keys(role: iam.IRole, bucket: s3.IBucket) -> None:
    """List the bucket's keys: without that, S3 answers 403 instead of 404 for a missing object.

    There is no condition on ``s3:prefix``: a read carries no prefix, so it would get the 403 again.
    """
    role.add_to_principal_policy(
        iam.PolicyStatement(actions=["s3:ListBucket"], resources=[bucket.bucket_arn])
    )


def list_versions(role: iam.IRole, bucket: s3.IBucket) -> None:
    """List every version of the bucket's objects."""
    role.add_to_principal_policy(
        iam.PolicyStatement(actions=["s3:ListBucketVersions"], resources=[bucket.bucket_arn])
    )


def read_versions(role: iam.IRole, bucket: s3.IBucket, *keys: str) -> None:
    """Read old versions of the objects `keys` too."""
    _grant(role, bucket, keys, ["s3:GetObjectVersion"])


def delete(role: iam.IRole, bucket: s3.IBucket, *keys: str) -> None:
    """Delete the objects `keys`, which can be recovered while their old versions are kept."""
    _grant(role, bucket, keys, ["s3:DeleteObject"])


def delete_versions(role: iam.IRole, bucket: s3.IBucket, *keys: str) -> None:
    """Delete versions of the objects `keys`, which nothing brings back."""
    _grant(role, bucket, keys, ["s3:DeleteObjectVersion"])


def read_secret(role: iam.IRole, generated: secretsmanager.ISecret) -> None:
    """Read a secret's value.

    CDK's own grant would name the reader in the key's policy, so that the key's stack would
    depend on the reader's.
    """
    role.add_to_principal_policy(
        iam.PolicyStatement(
            actions=["secretsmanager:GetSecretValue"], resources=[generated.secret_arn]
        )
    )
    if generated.encryption_key:
        generated.encryption_key.grant(role, "kms:Decrypt")


def publish(role: iam.IRole, topic: sns.ITopic) -> None:
    """Publish to an encrypted topic."""
    role.add_to_principal_policy(
        iam.PolicyStatement(actions=["sns:Publish"], resources=[topic.topic_arn])
    )
    if topic.master_key:
        topic.master_key.grant(role, "kms:GenerateDataKey", "kms:Decrypt")


def send(role: iam.IRole, queue: sqs.IQueue) -> None:
    """Send messages to a queue."""
    role.add_to_principal_policy(
        iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn])
    )


def _grant(role: iam.IRole, bucket: s3.IBucket, keys: tuple[str, ...], actions: list[str]) -> None:
    role.add_to_principal_policy(
        iam.PolicyStatement(
            actions=actions, resources=[bucket.arn_for_objects(key) for key in keys]
        )
    )
    reason = "The keys under this prefix are made at run time."
    arn = _arn_as_reported(role, bucket)
    acknowledge(role, {wildcard_finding(f"{arn}/{key}"): reason for key in keys if "*" in key})


def _arn_as_reported(role: iam.IRole, bucket: s3.IBucket) -> str:
    """The bucket's ARN as cdk-nag spells it: a name of this stack, or another stack's export."""
    owner = Stack.of(bucket)
    if owner is Stack.of(role):
        return "<{}.{}>".format(*owner.resolve(bucket.bucket_arn)["Fn::GetAtt"])
    return str(owner.resolve(owner.export_value(bucket.bucket_arn))["Fn::ImportValue"])
