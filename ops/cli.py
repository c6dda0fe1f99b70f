"""The operator's command line on Typer; a command's module is imported when it is called."""

import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ops.laptop import FOLDER_VARIABLE, ROOT
from ops.session import Session

Run = Callable[..., Any]
Name = Annotated[
    str | None, typer.Option("--name", help="Name of the deployment (circle).", metavar="NAME")
]
VERBATIM = "\b"
"""A paragraph of help that begins with this line keeps its line breaks."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: a line about it, its panel in the help, and what an example passes to it."""

    summary: str
    panel: str
    examples: tuple[str, ...]
    takes_dashes: bool = False
    """Whether an argument may begin with ``--``, as a comment of SQL does."""

    def epilog(self, name: str) -> str:
        """The examples as the end of the command's help."""
        lines = [f"  ops {name} {example}".rstrip() for example in self.examples]
        return "\n".join([VERBATIM, "Examples:" if len(lines) > 1 else "Example:", *lines])


MACHINE, DATA, MODELS = "This machine", "Data and predictions", "Models"
MONITORING, PEOPLE, ACCOUNT = "Monitoring", "People", "An AWS account"
PACKAGES = {
    MACHINE: "machine",
    DATA: "data",
    MODELS: "models",
    MONITORING: "monitoring",
    PEOPLE: "people",
    ACCOUNT: "account",
}
"""Panel of the help → package of `ops.commands` that holds its commands."""

COMMANDS = {
    "up": Entry(
        "Start everything on this machine and deploy to it.",
        MACHINE,
        (
            "",
            "--name churn --contract churn.toml",
            "--port 4567 --mlflow-port 5001",
        ),
    ),
    "down": Entry("Stop what `up` started.", MACHINE, ("", "--forget")),
    "list": Entry(
        "List the deployments here, or of a stage of an account.",
        MACHINE,
        ("", "--html deployments.html"),
    ),
    "remove": Entry(
        "Delete one deployment of this machine, and all that it holds.",
        MACHINE,
        ("--name churn", "--name churn --yes"),
    ),
    "demo": Entry(
        "Run the whole loop, from data to the alert mail.",
        MACHINE,
        ("", "--data patients.csv", "--contract churn.toml"),
    ),
    "status": Entry(
        "Show what runs, what serves, and what needs an answer.", MACHINE, ("", "--check", "--json")
    ),
    "doctor": Entry(
        "Say what is wrong here or in an account, and what to do.",
        MACHINE,
        ("", "--json"),
    ),
    "mail": Entry("List the mails in this machine's mailbox.", MACHINE, ("",)),
    "open": Entry("Show the links, or open one in a browser.", MACHINE, ("", "dashboard")),
    "sample-data": Entry(
        "Write a CSV file of made-up rows.",
        DATA,
        ("--rows 10000 --out sample.csv", "--contract churn.toml"),
    ),
    "contract infer": Entry(
        "Draft a data contract from a file.",
        DATA,
        ("churn.csv --target Churn --key customerID", "cells.csv --target diagnosis --positive M"),
    ),
    "contract check": Entry(
        "Say what is wrong with a contract, and what it would change.",
        DATA,
        ("", "churn.toml", "churn.toml --retire"),
    ),
    "upload": Entry(
        "Copy training data into the data bucket.",
        DATA,
        ("patients.csv", "jan/ feb/", "new.csv --replace"),
    ),
    "simulate": Entry(
        "Send rows of the test split to the API, changed if you like.",
        DATA,
        (
            "--rows 1000 --scenario shift --feature age --amount 8",
            "--scenario category --feature smoking_history --value 'No Info'",
            "--scenario concept --labels 0.3 --label-selection score",
        ),
    ),
    "score": Entry(
        "Score a file, or a folder of files, with the champion.",
        DATA,
        (
            "--input patients.csv --output scores/",
            "--input new.csv --keep id",
            "--input raw/2026/ --log",
        ),
    ),
    "query": Entry(
        "Run SQL over the prediction log and the labels.",
        DATA,
        ("label_coverage", "'SELECT count(*) FROM predictions' --json", "labelled --csv all.csv"),
        takes_dashes=True,
    ),
    "trace": Entry(
        "Say which model made a prediction, and how that came to serve.",
        DATA,
        ("0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10 --replay", "visit-4711"),
    ),
    "export-labelled": Entry(
        "Write labelled predictions as Parquet, for a notebook.",
        DATA,
        ("--days 30 --out labelled.parquet", "--maturity-days 0"),
    ),
    "erase": Entry(
        "Erase every row of some people, everywhere.",
        DATA,
        ("--subject-file people.txt --dry-run", "--subject-file people.txt"),
    ),
    "compact": Entry(
        "Merge the many small objects of the logs into few.",
        DATA,
        ("", "--dry-run", "--days 60"),
    ),
    "train": Entry(
        "Train and evaluate a model, and promote it if it is better.",
        MODELS,
        ("--trials 20", "--raw-prefix raw/2026/ --no-wait"),
    ),
    "stop": Entry("Stop the running training, scoring or compaction.", MODELS, ("",)),
    "ledger": Entry("Show which versions have served, and why.", MODELS, ("", "--json")),
    "promote": Entry(
        "Let a version serve, whatever the gate said of it.",
        MODELS,
        ("1-0a1b2c3d --reason 'F1 0.42 is enough for a first model.'",),
    ),
    "rollback": Entry("Let an earlier version serve again.", MODELS, ("", "--to 7-0a1b2c3d")),
    "approve": Entry("Let a model that waits for an approval serve.", MODELS, ("", "7-0a1b2c3d")),
    "reject": Entry(
        "Keep the champion instead of a model that waits for an approval.",
        MODELS,
        ("--reason 'Its recall is too low.'", "7-0a1b2c3d --reason 'Wait for May.'"),
    ),
    "repair": Entry(
        "Restore a lost champion pointer, or rebuild the index of drift runs.",
        MODELS,
        ("pointer", "runs"),
    ),
    "drift": Entry(
        "Compare a window of predictions with the model's reference.",
        MONITORING,
        (
            "--day 2026-01-31 --as-scheduled",
            "--days 28 --as-scheduled",
            "--last-rows 1000 --mail",
            "--from 2026-01-01 --to 2026-01-07",
        ),
    ),
    "acknowledge": Entry(
        "Say that you know of the open incident.",
        MONITORING,
        ("", "--note 'The lab changed its units; ticket 4711.'"),
    ),
    "labels-wanted": Entry(
        "Draw the predictions whose labels tell most about the model.",
        MONITORING,
        ("--count 300 --days 28", "--dry-run"),
    ),
    "webhook set": Entry(
        "Set the URL to which notifications go beside the mails.", MONITORING, ("", "< url.txt")
    ),
    "webhook test": Entry("Send a test message to the webhook.", MONITORING, ("",)),
    "user add": Entry(
        "Let somebody sign in, and say what they may do.",
        PEOPLE,
        ("ada@example.org", "ada@example.org --group operate --group approve"),
    ),
    "user remove": Entry(
        "Let somebody sign in no more, or take a group from them.",
        PEOPLE,
        ("ada@example.org", "ada@example.org --group approve"),
    ),
    "user list": Entry("List who may sign in, and what they may do.", PEOPLE, ("", "--json")),
    "user views": Entry(
        "List who opened single predictions on the dashboard.",
        PEOPLE,
        ("--days 7", "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10 --json"),
    ),
    "smoke": Entry(
        "Run the loop once on a new stage: train, predict, label, find drift, mail.",
        ACCOUNT,
        ("", "--data patients.csv"),
    ),
    "cost": Entry("Estimate what a stage costs a month.", ACCOUNT, ("--predictions 1000000",)),
    "pause": Entry("Stop an account's tracking server and its database.", ACCOUNT, ("",)),
    "resume": Entry("Start them again after `pause`.", ACCOUNT, ("",)),
    "rotate-db-password": Entry(
        "Change the password of an account's tracking database.", ACCOUNT, ("",)
    ),
}

DESCRIPTION = (
    "The operator's command line.\n\n"
    "Without --stage it works on this machine; with it, on that stage of the AWS account that the "
    "usual credentials belong to."
)
EPILOG = f"""{VERBATIM}
Exit codes:
  0    done
  1    refused, failed, or problems found: the reason and a next step are on stderr
  2    the command line is wrong
  70   a defect; its trace is in a file
  130  interrupted

Answers go to stdout, progress and hints to stderr. With --json an answer is JSON, without a hint.
"""


class LazyGroup(TyperGroup):
    """Lists the commands from `COMMANDS` alone, and imports the one that is called.

    The help is plain text: importing what Typer formats it with would take a third of a second.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, entry in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=entry.summary)

    def list_commands(self, _: Any) -> list[str]:
        """The order of `COMMANDS`."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Typer's signature
        """List the commands by panel."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, entry in COMMANDS.items():
            panels.setdefault(entry.panel, []).append((name, entry.summary))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Import the command that is called; its name may have two words."""
        two_words = " ".join(args[:2])
        if two_words in COMMANDS:
            args = [two_words, *args[2:]]
        name, command, rest = super().resolve_command(ctx, args)
        try:
            return name, load(name) if name in COMMANDS else command, rest
        except KeyboardInterrupt:
            print("Interrupted.", file=sys.stderr)
            raise typer.Exit(130) from None


def module_of(name: str) -> str:
    """The dotted name of a command's module."""
    return f"ops.commands.{PACKAGES[COMMANDS[name].panel]}.{re.sub('[- ]', '_', name)}"


def load(name: str) -> Any:
    """The command as Typer runs it, made from `run` of its module."""
    module = importlib.import_module(module_of(name))
    entry = COMMANDS[name]
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(
        name,
        help=inspect.getdoc(module.run),
        epilog=entry.epilog(name),
        context_settings={"ignore_unknown_options": entry.takes_dashes},
    )(_callback(name, module.run))
    command = typer.main.get_command(app)
    command.name = name
    return command


def _callback(name: str, run: Run) -> Run:
    """`run` with Typer's context, ``--name`` and ``--json`` instead of its target."""

    def call(ctx: typer.Context, **options: Any) -> None:
        as_json, deployment = options.pop("as_json"), options.pop("deployment")
        session: Session = ctx.obj
        if deployment is not None:
            session = replace(session, name=deployment)
        raise typer.Exit(session.execute(name, run, options, as_json=as_json))

    own = inspect.signature(run, eval_str=True).parameters.values()
    taken = [p.replace(kind=p.KEYWORD_ONLY) for p in own if p.name != "target"]
    json_option = typer.Option("--json", help="Print the facts as JSON.")
    context = inspect.Parameter(
        "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    as_json = inspect.Parameter(
        "as_json",
        inspect.Parameter.KEYWORD_ONLY,
        default=False,
        annotation=Annotated[bool, json_option],
    )
    deployment = inspect.Parameter(
        "deployment", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Name
    )
    call.__signature__ = inspect.Signature([context, *taken, deployment, as_json])  # type: ignore[attr-defined]  # Typer reads it
    return call


def _choose_session(
    ctx: typer.Context,
    stage: Annotated[str | None, typer.Option(help="Work on this stage of an AWS account.")] = None,
    name: Name = None,
    local: Annotated[
        Path,
        typer.Option(
            envvar=FOLDER_VARIABLE,
            help="Folder of everything that this machine keeps.",
            metavar="DIR",
        ),
    ] = ROOT / ".local",
) -> None:
    ctx.obj = Session(stage=stage, name=name, folder=local.resolve(), environ=os.environ)


def build() -> Any:
    """The command line."""
    app = typer.Typer(cls=LazyGroup, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(help=DESCRIPTION, epilog=EPILOG)(_choose_session)
    return typer.main.get_command(app)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    program = "ops" if Path(sys.argv[0]).name == "ops" else "python -m ops"
    try:
        build().main(args=arguments, prog_name=program)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
