"""A monthly budget of the account, with a mail before it is spent."""

from aws_cdk import aws_budgets as budgets
from constructs import Construct

WARN_AT = ((80, "ACTUAL"), (100, "FORECASTED"))
"""(percent of the budget, whether it is spent or forecast)"""


class MonthlyBudget(Construct):
    """A budget of the whole account: a stage's own cost is known only after a tag is activated."""

    def __init__(
        self, scope: Construct, construct_id: str, *, name: str, usd: int, mail_to: str
    ) -> None:
        super().__init__(scope, construct_id)
        subscriber = budgets.CfnBudget.SubscriberProperty(
            address=mail_to, subscription_type="EMAIL"
        )
        budgets.CfnBudget(
            self,
            "Account",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=name,
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=usd, unit="USD"),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type=kind,
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[subscriber],
                )
                for percent, kind in WARN_AT
            ],
        )
