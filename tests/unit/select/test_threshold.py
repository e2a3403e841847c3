"""The threshold found over files is that of sorting everything."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.select.stream.threshold import chosen, find_threshold

SCORES = st.one_of(
    st.floats(allow_nan=True, width=64), st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-300, float("inf"), float("-inf")])
)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.lists(SCORES, max_size=8), min_size=1, max_size=5), st.integers(0, 12), st.booleans())
def test_what_is_taken_is_the_head_of_the_sorted_whole(shards: list[list[float]], limit: int, priced: bool) -> None:
    arrays = [np.array(shard, np.float64) for shard in shards]
    costs = [np.arange(1, len(shard) + 1) % 4 + 1.0 if priced else np.ones(len(shard)) for shard in arrays]
    found = find_threshold(lambda k: (arrays[k], costs[k]), range(len(arrays)), limit)
    flat, price = np.concatenate(arrays), np.concatenate(costs)
    order = [row for row in np.argsort(-flat, kind="stable") if not np.isnan(flat[row])]
    spent, expected = 0.0, []
    for row in order:
        spent += price[row]
        if spent > limit:
            break
        expected.append(row)
    if found is None:
        assert not expected
        return
    assert found.taken == len(expected)
    taken, before, ties = [], 0, 0
    for shard in arrays:
        taken += (chosen(shard, found, ties) + before).tolist()
        ties += int((shard == found.score).sum())
        before += len(shard)
    assert sorted(taken) == sorted(int(row) for row in expected)
    assert found.spent == price[expected].sum()
