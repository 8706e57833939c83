"""Shapely's predicates are the law: a few thousand pairs of another seed each time (the bench asks millions)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.differential import one_round
from engine.sense import FenceSet, fast


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), compiled=st.booleans())
def test_no_point_is_inside_or_outside_against_shapely(seed, compiled):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "kernels", None)
        patch.setattr(FenceSet, "grounded", False)
        if compiled:
            fast.load()
        columns, kernels, wrong = one_round(seed, count=8, each=80)
    assert columns + kernels > 300
    assert wrong == 0
