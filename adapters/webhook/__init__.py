"""Messages to one HTTP receiver: Slack, Microsoft Teams, or any that takes signed JSON."""
