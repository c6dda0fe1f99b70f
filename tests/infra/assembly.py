"""A synthesised application as plain data: resources, policies and assets, readable by tests."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HASH = re.compile(r"(?<=[A-Za-z])[0-9A-F]{8}\b")


@dataclass(frozen=True)
class Resource:
    """One resource of one stack."""

    stack: str
    logical_id: str
    kind: str
    properties: dict[str, Any]
    definition: dict[str, Any]

    @property
    def name(self) -> str:
        """Its logical id without the hash."""
        return _plain(self.logical_id)


@dataclass(frozen=True)
class Assembly:
    """The templates of an application, by the stack's last name (``Storage``)."""

    folder: Path
    templates: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> "Assembly":
        """Read what `cdk synth` wrote."""
        paths = sorted(folder.glob("*.template.json"))
        names = [path.name.removesuffix(".template.json").rsplit("-", 1)[-1] for path in paths]
        texts = [json.loads(path.read_text()) for path in paths]
        return cls(folder, dict(zip(names, texts, strict=True)))

    def resources(self, kind: str = "", stack: str = "") -> Iterator[Resource]:
        """All resources, or those of a type and of a stack."""
        for name, template in self.templates.items():
            for logical_id, definition in template["Resources"].items():
                if stack in ("", name) and kind in ("", definition["Type"]):
                    properties = definition.get("Properties", {})
                    yield Resource(name, logical_id, definition["Type"], properties, definition)

    def resource(self, kind: str, name: str = "") -> Resource:
        """The only resource of a type whose name starts so."""
        found = [r for r in self.resources(kind) if r.name.startswith(name)]
        assert 1 == len(found), f"{kind} {name}: {[r.name for r in found]}"
        return found[0]

    def text(self, value: Any) -> str:  # noqa: PLR0911 - one return per CloudFormation function
        """A value with its references written out: ``{Models.Arn}/serving/*``.

        Logical ids lose their hashes, imports are followed to what they export, and one from
        another deployment stands by its name.
        """
        if isinstance(value, str):
            return value
        if not isinstance(value, dict) or len(value) != 1:
            return json.dumps(value)
        ((function, argument),) = value.items()
        match function:
            case "Ref":
                return f"{{{_plain(argument)}}}"
            case "Fn::GetAtt":
                return f"{{{_plain(argument[0])}.{argument[1]}}}"
            case "Fn::Join":
                return "".join(self.text(part) for part in argument[1])
            case "Fn::ImportValue":
                return self.text(self._exports().get(argument, f"{{{argument}}}"))
            case _:
                return json.dumps(value)

    def _exports(self) -> dict[str, Any]:
        outputs = [o for t in self.templates.values() for o in t.get("Outputs", {}).values()]
        return {o["Export"]["Name"]: o["Value"] for o in outputs if "Export" in o}

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Every statement of the policies attached to the role whose name starts so."""
        logical_id = self.resource("AWS::IAM::Role", role).logical_id
        return [
            statement
            for policy in self.resources("AWS::IAM::Policy")
            if {"Ref": logical_id} in policy.properties["Roles"]
            for statement in policy.properties["PolicyDocument"]["Statement"]
        ]

    def allowed(self, role: str) -> dict[str, set[str]]:
        """Action → the resources that the role may do it to."""
        allowed: dict[str, set[str]] = {}
        for statement in self.statements(role):
            assert "Allow" == statement["Effect"]
            for action in as_list(statement["Action"]):
                resources = {self.text(r) for r in as_list(statement["Resource"])}
                allowed[action] = allowed.get(action, set()) | resources
        return allowed

    def definition(self) -> dict[str, Any]:
        """The training state machine's definition."""
        machine = self.resource("AWS::StepFunctions::StateMachine")
        states: dict[str, Any] = json.loads(self.text(machine.properties["DefinitionString"]))
        return states

    def file_assets(self) -> dict[str, Path]:
        """Where the zip assets were staged, by the name that the CLI shows."""
        return {
            asset["displayName"]: self.folder / asset["source"]["path"]
            for manifest in self._asset_manifests()
            for asset in manifest["files"].values()
            if asset["source"]["packaging"] == "zip"
        }

    def image_assets(self) -> dict[str, dict[str, Any]]:
        """Sources of the image assets, by their target in the Dockerfile."""
        return {
            image["source"]["dockerBuildTarget"]: image["source"]
            for manifest in self._asset_manifests()
            for image in manifest["dockerImages"].values()
        }

    def _asset_manifests(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in self.folder.glob("*.assets.json")]

    def stack_properties(self) -> list[dict[str, Any]]:
        """What the manifest says of each stack."""
        artifacts = json.loads((self.folder / "manifest.json").read_text())["artifacts"]
        kind = "aws:cloudformation:stack"
        return [a["properties"] for a in artifacts.values() if a["type"] == kind]


def _plain(logical_id: str) -> str:
    return _HASH.sub("", logical_id)


def as_list(value: Any) -> list[Any]:
    """IAM writes a list of one as the one."""
    return value if isinstance(value, list) else [value]


def files(folder: Path) -> set[str]:
    """Paths of all files below a folder."""
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def top(paths: set[str], depth: int = 1) -> set[str]:
    """The first parts of paths."""
    return {"/".join(path.split("/")[:depth]) for path in paths}
