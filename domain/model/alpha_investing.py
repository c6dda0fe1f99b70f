"""How sure a gain must be when other challengers have been judged before.

Among many challengers that are no better than the champion, one will look better by chance. So each
further test gets a smaller part of a total error rate, and all of them together promote one that is
no better in at most WEALTH of the cases, whether they share their rows or not. A promotion starts
anew: from then on challengers are compared with another champion.

Method: D. Foster and R. Stine, "Alpha-investing: a procedure for sequential control of expected
false discoveries" (2008). The first test keeps the usual 2.5 % on one side. Each of the others bids
what remains, divided by its number: without a discovery that is 1 % / ((k - 1) k) for test k.
"""

from statistics import NormalDist

FIRST = 0.025
OTHERS = 0.01
WEALTH = FIRST + OTHERS
_NORMAL = NormalDist()
_POWER_80 = _NORMAL.inv_cdf(0.8)


def error_rate(earlier: int) -> float:
    """The chance at which a challenger that is no better may pass, after so many earlier tests."""
    return OTHERS / (earlier * (earlier + 1)) if earlier else FIRST


def required_errors(earlier: int) -> float:
    """How many standard errors a gain must be above zero."""
    return _NORMAL.inv_cdf(1 - error_rate(earlier))


def detectable_gain(standard_error: float, earlier: int) -> float:
    """The gain that such a test proves in 80 of 100 cases."""
    return (required_errors(earlier) + _POWER_80) * standard_error
