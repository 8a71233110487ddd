"""Statistics: exact tests, intervals, multiplicity; numpy and scipy and nothing of ours."""

from whatchanged.stats.binomial import SignTestTable, sign_test, smallest_attainable, testable, upper_tail
from whatchanged.stats.exchange import exchange_test, smallest_exchange
from whatchanged.stats.firth import FirthFit, firth_pairs
from whatchanged.stats.intervals import clopper_pearson, median_interval, newcombe_paired, tango, wilson
from whatchanged.stats.multiplicity import benjamini_hochberg, budget_weights, simes
from whatchanged.stats.power import exact_limit

__all__ = [
    "FirthFit",
    "SignTestTable",
    "benjamini_hochberg",
    "budget_weights",
    "clopper_pearson",
    "exact_limit",
    "exchange_test",
    "firth_pairs",
    "median_interval",
    "newcombe_paired",
    "sign_test",
    "simes",
    "smallest_attainable",
    "smallest_exchange",
    "tango",
    "testable",
    "upper_tail",
    "wilson",
]
