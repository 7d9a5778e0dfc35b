"""The most similar candidate: tree and blocks against a loop, ties, zero vectors, bounds."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medkd.correction import correct_by_similarity, similarity
from medkd.correction.similarity import most_similar


@pytest.fixture(params=["tree", "blocks"], autouse=True)
def few_or_many(request, monkeypatch):
    """Every test by both ways of searching, whatever the number of pairs."""
    if request.param == "tree":
        monkeypatch.setattr(similarity, "_TREE_PAIRS", 0)


def cosine(a, b):
    lengths = math.hypot(*a) * math.hypot(*b)
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 2, 3, 12]), st.booleans())
def test_the_first_candidate_of_the_largest_cosine_is_found(seed, dims, coarse):
    draw = torch.Generator().manual_seed(seed)
    queries, candidates = (torch.randn(n, dims, generator=draw) for n in (7, 30))
    if coarse:  # many equal vectors, and zero ones
        queries, candidates = queries.round(), candidates.round()
    result = most_similar(queries, candidates).tolist()
    for query, index in zip(queries.tolist(), result, strict=True):
        cosines = [cosine(query, c) for c in candidates.tolist()]
        assert cosines[index] == pytest.approx(max(cosines), abs=1e-6)
        same = [i for i, c in enumerate(candidates.tolist()) if c == candidates[index].tolist()]
        assert index == same[0]


def test_zero_vectors():
    candidates = torch.tensor([[-1.0, 0.0], [0.0, 0.0], [-2.0, 0.1], [0.0, 0.0]])
    assert most_similar(torch.tensor([[1.0, 0.0]]), candidates).tolist() == [1]  # 0 is more than -1
    assert most_similar(torch.tensor([[0.0, 0.0]]), candidates).tolist() == [0]
    assert most_similar(torch.tensor([[-1.0, 0.0]]), candidates).tolist() == [0]


def test_the_first_of_equally_near_candidates_is_found():
    """Mirrored at the query, two different candidates have one cosine."""
    draw = torch.Generator().manual_seed(0)
    for _ in range(20):
        side = torch.rand(6, 1, generator=draw) + 0.1
        pairs = torch.cat([torch.ones(6, 1), side], dim=1)
        candidates = torch.stack([pairs, pairs * torch.tensor([1.0, -1.0])], dim=1).flatten(0, 1)
        candidates = candidates[torch.randperm(12, generator=draw)]
        cosines = candidates[:, 0] / candidates.norm(dim=1)
        expected = int((cosines >= cosines.max() - 1e-9).nonzero()[0])
        assert most_similar(torch.tensor([[1.0, 0.0]]), candidates).tolist() == [expected]
    tied = torch.tensor([[0.0, 0.0], [0.0, 1.0]])  # both have cosine 0
    assert most_similar(torch.tensor([[1.0, 0.0]]), tied).tolist() == [0]


def test_blocks_and_tree_agree():
    draw = torch.Generator().manual_seed(0)
    queries, candidates = (torch.randn(n, 3, generator=draw) for n in (50, 400))
    units = [torch.nn.functional.normalize(x, dim=1) for x in (queries, candidates)]
    by_tree = similarity._search_tree(*(x.numpy() for x in units))
    assert torch.equal(by_tree, similarity._search_products(*units))
    assert torch.equal(by_tree, most_similar(queries, candidates))


def test_max_candidates_bounds_the_search_and_stays_correct():
    draw = torch.Generator().manual_seed(1)
    p = torch.softmax(torch.randn(1, 2, 20, 20, generator=draw), 1)
    y, phi = torch.randint(0, 2, (1, 1, 20, 20), generator=draw), torch.randn(1, 12, 20, 20, generator=draw)
    bounded = correct_by_similarity(p, phi, y, max_candidates=10)
    assert torch.equal(bounded.argmax(1, keepdim=True), y)
    assert not torch.equal(bounded, correct_by_similarity(p, phi, y))
    assert torch.equal(correct_by_similarity(p, phi, y, max_candidates=400), correct_by_similarity(p, phi, y))


def test_a_coarse_embedding_is_resized():
    draw = torch.Generator().manual_seed(2)
    p, y = torch.softmax(torch.randn(1, 2, 8, 8, generator=draw), 1), torch.randint(0, 2, (1, 1, 8, 8), generator=draw)
    phi = torch.randn(1, 3, 4, 4, generator=draw)
    fine = torch.nn.functional.interpolate(phi, size=(8, 8), mode="bilinear", align_corners=False)
    assert torch.equal(correct_by_similarity(p, phi, y), correct_by_similarity(p, fine, y))
