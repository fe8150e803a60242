"""pass^k: how likely it is that a case comes out right every time."""

from collections.abc import Sequence
from math import comb


def pass_hat_k(trials: Sequence[Sequence[bool]]) -> tuple[float, ...]:
    """For k from 1 on, the share of cases that pass in all of k runs, estimated without bias from those that were run.

    Of n runs of a case c passed: so many of its subsets of k runs passed as a whole, C(c, k) of C(n, k); the mean over
    all cases. After tau-bench (Yao and others, 2024, arXiv:2406.12045). `trials` has the runs of each case, equally
    many for all.
    """
    runs = min((len(case) for case in trials), default=0)
    return tuple(
        sum(comb(sum(case), k) / comb(len(case), k) for case in trials) / len(trials) for k in range(1, runs + 1)
    )
