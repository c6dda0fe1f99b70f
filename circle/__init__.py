"""What serves and what was logged, as pandas, for notebooks and scripts.

    import circle

    champion = circle.load_champion()
    champion.predict(rows)                 # scores as the API does, and logs nothing
    circle.explain(rows.iloc[0])           # what spoke for and against, feature by feature
    circle.load_reference()                # the sample that drift is measured against
    circle.read_log(days=7)                # predictions
    circle.labelled(days=28)               # predictions with their outcomes, and weights

Every function works on this machine, or with ``stage="dev"`` on that stage of the AWS account of
your credentials; stage, region and deployment are found as the command line `ops` finds them. The
rows are people: a frame holds values that no text log, mail or dashboard shows.
"""

from circle.champion import Champion, explain, load_champion, load_reference
from circle.log import labelled, read_log
from ops.errors import OpsError

__all__ = [
    "Champion",
    "OpsError",
    "explain",
    "labelled",
    "load_champion",
    "load_reference",
    "read_log",
]
