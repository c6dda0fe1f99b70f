"""The names of a deployment, and what its stacks' outputs tell."""

from dataclasses import fields

import pytest

from domain.deployment import PARTS, BadName, Deployment, Names, NotDeployed, output_key

CIRCLE = Names(stage="dev")


def _names(names: Names) -> list[str]:
    """Every name that it makes."""
    return [
        names.base,
        names.database,
        names.training,
        names.promotion,
        names.erasure,
        names.tracking,
        names.dns_zone,
        names.metrics_namespace,
        names.model("diabetes"),
        *(names.stack(part) for part in PARTS),
    ]


def test_every_name_contains_the_deployments_name_and_the_stage() -> None:
    assert [] == [name for name in _names(CIRCLE) if not ("circle" in name and "dev" in name)]
    assert ("circle-dev-Storage", "circle_dev") == (CIRCLE.stack("Storage"), CIRCLE.database)


@pytest.mark.parametrize(
    "other",
    [
        Names(name="heart", stage="dev"),
        Names(stage="prod"),
        Names(name="circled", stage="ev"),
        Names(name="c", stage="dev"),
    ],
)
def test_another_name_or_stage_shares_no_name(other: Names) -> None:
    assert set() == set(_names(CIRCLE)) & set(_names(other))


@pytest.mark.parametrize("name", ["", "Heart", "heart-failure", "1heart", "h" * 17, "höhe", "a_b"])
def test_a_name_that_aws_would_refuse_or_that_could_collide_is_one_sentence(name: str) -> None:
    with pytest.raises(BadName, match="a name has 1 to 16 lower-case letters and digits") as error:
        Names(name=name, stage="dev")
    assert "\n" not in str(error.value)


def test_a_bad_stage_is_named_together_with_a_bad_name() -> None:
    with pytest.raises(BadName, match=r"a name has .*; a stage has 1 to 12") as error:
        Names(name="Heart", stage="Prod 1")
    assert "Deployment 'Heart' can't have stage 'Prod 1'" in str(error.value)


def test_outputs_become_a_deployment_and_missing_ones_are_all_named() -> None:
    outputs = {output_key(field.name): field.name for field in fields(Deployment)}
    assert "data_bucket" == Deployment.from_outputs(outputs).data_bucket
    for key in ("DataBucket", "ApiUrl"):
        del outputs[key]
    with pytest.raises(NotDeployed, match="missing: DataBucket, ApiUrl"):
        Deployment.from_outputs(outputs)
