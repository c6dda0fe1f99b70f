"""The right to query tables of the logs through Athena."""

from collections.abc import Iterable

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from domain import keys
from stacks.common import grants
from stacks.storage.storage import StorageStack


def grant_queries(role: iam.IRole, storage: StorageStack, tables: Iterable[str]) -> None:
    """Grant queries of these tables; their objects have to be granted, too.

    Athena reads them, and writes results, with its caller's rights.
    """
    stack = Stack.of(role)
    names = ("catalog", f"database/{storage.database.ref}")
    of_tables = (f"table/{storage.database.ref}/{table}" for table in tables)
    workgroup = f"workgroup/{storage.workgroup.name}"
    allow = {
        (
            "athena:StartQueryExecution",
            "athena:GetQueryExecution",
            "athena:GetQueryResults",
            "athena:StopQueryExecution",
        ): [stack.format_arn(service="athena", resource=workgroup)],
        ("glue:GetDatabase", "glue:GetTable", "glue:GetPartitions"): [
            stack.format_arn(service="glue", resource=name) for name in (*names, *of_tables)
        ],
        ("s3:GetBucketLocation",): [storage.predictions.bucket_arn],
    }
    for actions, resources in allow.items():
        role.add_to_principal_policy(
            iam.PolicyStatement(actions=list(actions), resources=resources)
        )
    results = f"{keys.ATHENA}*"
    grants.read(role, storage.predictions, results)
    grants.write(role, storage.predictions, results, in_parts=True)
    grants.list_keys(role, storage.predictions)
