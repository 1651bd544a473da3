"""Nested streams: their product is the likelihood, for any taxonomy."""

import numpy as np
import pytest

from stream.core.alternatives import grid
from stream.core.reference import branch_shares, category_shares
from stream.core.streams import TRAFFIC, nested_streams, sides, watched
from stream.core.taxonomy import PAPER, Behaviour, RequestKind, Taxonomy

THREE = Taxonomy((Behaviour("help", None), Behaviour("refusal", None), Behaviour("other", None, wanted=False)))
DECEPTION = Taxonomy((*PAPER.behaviours, Behaviour("deception", RequestKind.BENIGN, wanted=False)))
KINDS_ONLY = Taxonomy((Behaviour("help", RequestKind.BENIGN), Behaviour("refusal", RequestKind.HARMFUL)))


@pytest.mark.parametrize("taxonomy", [PAPER, THREE, DECEPTION, KINDS_ONLY])
def test_there_is_one_stream_fewer_than_categories_and_their_product_is_the_share(taxonomy: Taxonomy) -> None:
    streams = nested_streams(taxonomy)
    side = sides(streams, len(taxonomy))
    counts = np.array([9700, 1300, 500, 7100, 2400, 3300][: len(taxonomy)]) * 10**9
    assert len(streams) == len(taxonomy) - 1
    assert category_shares(branch_shares(counts, side), side) == pytest.approx(counts / counts.sum(), rel=1e-9)


def test_up_is_the_unwanted_branch_of_the_papers_taxonomy() -> None:
    assert {stream.name: stream.up for stream in nested_streams(PAPER)} == {
        "off_topic": (4,),
        TRAFFIC: (1, 2),
        "refusal_excessive": (3,),
        "helpful_misaligned": (1,),
    }


def test_the_behaviour_rule_leaves_the_traffic_mix_out() -> None:
    names = [stream.name for stream in watched(nested_streams(PAPER), "behaviour")]
    assert names == ["off_topic", "refusal_excessive", "helpful_misaligned"]
    assert len(watched(nested_streams(PAPER), "all")) == 4


def test_a_taxonomy_with_no_behaviour_within_a_kind_cannot_be_watched_for_behaviour() -> None:
    with pytest.raises(ValueError, match="watch must be 'all'"):
        watched(nested_streams(KINDS_ONLY), "behaviour")


def test_alternatives_move_chosen_streams_only_and_all_have_weight() -> None:
    streams = nested_streams(PAPER)
    found = grid(streams, watched(streams, "behaviour"))
    assert np.all(found.odds[:, 1] == 1.0)
    assert np.all((found.odds != 1.0).any(axis=1))
    assert np.all(found.weight > 0)
