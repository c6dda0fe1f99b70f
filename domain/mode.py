"""How far a part of the loop may go by itself."""

from typing import Literal

Mode = Literal["off", "suggest", "auto"]
"""``off``: it does nothing. ``suggest``: it mails the command. ``auto``: it acts."""
