"""What a synthesised stage costs a month without any requests."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from domain.plural import write_count
from domain.typed_json import decode
from ops.errors import OpsError

HOURS = 730.0
"""AWS's month."""

Properties = dict[str, Any]
"""A resource's properties, as CloudFormation's templates write them: each type has its own."""

_HASH = re.compile(r"([0-9A-F]{8})?([0-9a-f]{32})?$")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill."""

    item: str
    what: str
    usd: float


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a template; `type` such as ``AWS::RDS::DBInstance``."""

    type: str
    properties: Properties


Resources = Mapping[tuple[str, str], Resource]
"""By template and logical id: two stacks may use the same id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The price table in USD, each part by the name of what is paid for.

    `as_of`: a month. `free`: types of resources without ``AWS::``. `hour` is per hour, `month` per
    month, `use` per unit in its name. `assumed`: what a template doesn't say.
    """

    as_of: str
    region: str
    sources: tuple[str, ...]
    free: tuple[str, ...]
    month: Mapping[str, float]
    hour: Mapping[str, float]
    database_hour: Mapping[str, float]
    use: Mapping[str, float]
    assumed: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Stage:
    """The resources of all templates of a stage, and how many images it keeps."""

    resources: Resources
    images: int
    tracking_images: int = 0
    """Those of its tracking server."""

    @classmethod
    def read(cls, folder: Path) -> "Stage":
        """Read the templates and manifests of a synthesis."""
        resources = {
            (path.name, name): Resource(resource["Type"], resource.get("Properties", {}))
            for path in sorted(folder.glob("*.template.json"))
            for name, resource in json.loads(path.read_text())["Resources"].items()
        }
        images = {
            path.name: len(json.loads(path.read_text())["dockerImages"])
            for path in folder.glob("*.assets.json")
        }
        tracking = sum(count for name, count in images.items() if _is_tracking(name))
        return cls(resources, sum(images.values()), tracking)

    @property
    def tracking(self) -> "Stage":
        """Its tracking server alone; empty where it uses another deployment's."""
        own = {place: found for place, found in self.resources.items() if _is_tracking(place[0])}
        return Stage(own, self.tracking_images)

    def of(self, kind: str) -> Iterator[tuple[str, Properties]]:
        """Logical ids and properties of a type."""
        for (_, name), resource in self.resources.items():
            if resource.type == kind:
                yield name, resource.properties

    def properties(self, name: str, kind: str) -> Properties:
        """Properties of the resource of that type with this logical id."""
        return next(properties for found, properties in self.of(kind) if found == name)

    def not_priced(self) -> set[str]:
        """Types that the price table neither prices nor lists as free."""
        kinds = {resource.type for resource in self.resources.values()}
        free = {f"AWS::{kind}" for kind in read_prices().free}
        return kinds - free - set(_PRICED)


def _is_tracking(file: str) -> bool:
    """Whether a file of a synthesis is about the stack of the tracking server."""
    return file.partition(".")[0].endswith("-Tracking")


@cache
def read_prices() -> Prices:
    """The price table."""
    return decode(Prices, tomllib.loads(Path(__file__).with_name("prices.toml").read_text()))


def estimate_idle(stage: Stage) -> list[Line]:
    """Estimate the cost of an idle stage: every line above zero, the dearest first."""
    lines = [
        line
        for kind, price in _PRICED.items()
        for name, properties in stage.of(kind)
        for line in price(stage, _HASH.sub("", name), properties)
    ]
    stored = stage.images * read_prices().assumed["image_gb"]
    lines.append(
        Line("ECR", write_count(stage.images, "image"), stored * read_prices().month["ecr_gb"])
    )
    return sorted((line for line in lines if line.usd), key=lambda line: -line.usd)


def fargate_hour(task: Mapping[str, Any]) -> float:
    """USD an hour of a task definition."""
    platform = task.get("RuntimePlatform", {}).get("CpuArchitecture", "X86_64").lower()
    hour = read_prices().hour
    cpu, memory = float(task["Cpu"]) / 1024, float(task["Memory"]) / 1024
    return float(cpu * hour[f"fargate_vcpu_{platform}"] + memory * hour[f"fargate_gb_{platform}"])


def _month(key: str, what: str) -> Any:
    def lines(_: Stage, name: str, __: Mapping[str, Any]) -> list[Line]:
        return [Line(name, what, read_prices().month[key])]

    return lines


def _database(_: Stage, name: str, properties: Mapping[str, Any]) -> list[Line]:
    copies = 2 if properties.get("MultiAZ") else 1
    kind, size = properties["DBInstanceClass"], float(properties["AllocatedStorage"])
    hour = read_prices().database_hour.get(kind)
    if hour is None:
        raise OpsError(
            f"The price of {kind} is not in the table.",
            "Add it to [database_hour] of ops/bill/prices.toml.",
        )
    return [
        Line(name, f"{kind}, {write_count(copies, 'zone')}", copies * hour * HOURS),
        Line(name, f"{size:g} GB gp3", copies * size * read_prices().month["rds_gb"]),
    ]


def _service(stage: Stage, name: str, properties: Mapping[str, Any]) -> list[Line]:
    count = int(properties["DesiredCount"])
    task = stage.properties(properties["TaskDefinition"]["Ref"], "AWS::ECS::TaskDefinition")
    size = f"{int(task['Cpu']) / 1024:g} vCPU, {int(task['Memory']) / 1024:g} GB"
    lines = [Line(name, f"Fargate, {size}", count * fargate_hour(task) * HOURS)]
    network = properties["NetworkConfiguration"]["AwsvpcConfiguration"]
    if network.get("AssignPublicIp") == "ENABLED":
        address = read_prices().hour["public_address"]
        lines.append(Line(name, "public address", count * address * HOURS))
    return lines


def _alarm(_: Stage, name: str, properties: Mapping[str, Any]) -> list[Line]:
    metrics = sum("MetricStat" in metric for metric in properties.get("Metrics", [])) or 1
    return [Line(name, "alarm", metrics * read_prices().month["alarm_metric"])]


def _endpoint(_: Stage, name: str, properties: Mapping[str, Any]) -> list[Line]:
    if properties.get("VpcEndpointType") != "Interface":
        return []
    zones = len(properties.get("SubnetIds", [None]))
    hour = read_prices().hour["interface_endpoint"]
    return [Line(name, f"interface endpoint, {write_count(zones, 'zone')}", zones * hour * HOURS)]


def _nat(_: Stage, name: str, __: Mapping[str, Any]) -> list[Line]:
    return [Line(name, "NAT gateway", read_prices().hour["nat_gateway"] * HOURS)]


def _web_acl(_: Stage, name: str, properties: Mapping[str, Any]) -> list[Line]:
    month = read_prices().month
    rules = len(properties.get("Rules", []))
    usd = month["web_acl"] + rules * month["web_acl_rule"]
    return [Line(name, f"web ACL, {write_count(rules, 'rule')}", usd)]


_PRICED = {
    "AWS::RDS::DBInstance": _database,
    "AWS::ECS::Service": _service,
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::EC2::NatGateway": _nat,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _month("alarm_metric", "alarm"),
    "AWS::CloudWatch::Dashboard": _month("dashboard", "dashboard"),
    "AWS::KMS::Key": _month("kms_key", "key"),
    "AWS::SecretsManager::Secret": _month("secret", "secret"),
    "AWS::ServiceDiscovery::PrivateDnsNamespace": _month("hosted_zone", "hosted zone"),
    "AWS::ServiceDiscovery::Service": _month("cloud_map_instance", "registered task"),
    "AWS::WAFv2::WebACL": _web_acl,
}
