"""Which region and profile a command works with: those that the CDK's command line deploys with.

boto3 alone ignores ``AWS_REGION``, and prefers ``AWS_DEFAULT_PROFILE`` to ``AWS_PROFILE``: a
deployment could go to one place while `ops` looks for it in another.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache

from ops.console import write_line

FALLBACK = "us-east-1"
VARIABLES = ("AWS_REGION", "AMAZON_REGION", "AWS_DEFAULT_REGION", "AMAZON_DEFAULT_REGION")


def follow_cdk(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that make boto3 work where the CDK's command line does."""
    region = {"AWS_DEFAULT_REGION": resolve_region(environ)}
    profile = _profile(environ)
    return region | ({"AWS_DEFAULT_PROFILE": profile} if profile else {})


def resolve_region(
    environ: Mapping[str, str],
    ask_instance: Callable[[Mapping[str, str]], str | None] | None = None,
) -> str:
    """The region, looked for where and in the order that the CDK's command line does.

    Variables, the profile in AWS's two files, the default profile in them, the instance that this
    runs on, and last ``us-east-1``.
    """
    named = (environ.get(variable) for variable in VARIABLES)
    found = next((region for region in (*named, *_configured(environ)) if region), None)
    return found or (ask_instance or _ask_instance)(environ) or FALLBACK


def _profile(environ: Mapping[str, str]) -> str | None:
    return environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE")


def _configured(environ: Mapping[str, str]) -> Iterator[str | None]:
    """Regions in the credentials file and the config file, of the profile and of the default."""
    from botocore.configloader import build_profile_map

    credentials = _parse(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")
    config = _parse(environ.get("AWS_CONFIG_FILE") or "~/.aws/config")
    files = (credentials, build_profile_map(config)["profiles"])
    for profile in (_profile(environ) or "default", "default"):
        for file in files:
            yield file.get(profile, {}).get("region")


def _parse(path: str) -> dict[str, dict[str, str]]:
    from botocore.configloader import raw_config_parse
    from botocore.exceptions import ConfigNotFound

    try:
        sections: dict[str, dict[str, str]] = raw_config_parse(path)
    except ConfigNotFound:
        return {}
    return sections


def _ask_instance(environ: Mapping[str, str]) -> str | None:
    """The region of the EC2 instance that this runs on; None elsewhere, after a second."""
    from botocore.utils import InstanceMetadataRegionFetcher

    fetcher = InstanceMetadataRegionFetcher(timeout=1, num_attempts=1, env=dict(environ))
    region: str | None = fetcher.retrieve_region()
    return region


@cache
def announce() -> None:
    """Say once, beside a command's output, which account and region it works on."""
    from adapters import aws

    client = aws.client("sts")
    account, region = client.get_caller_identity()["Account"], client.meta.region_name
    write_line(f"Account {account}, region {region}.")
