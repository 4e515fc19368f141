import torch

from asccl.metric.neighbours import NEIGHBOUR_OFFSETS, neighbour_pairs, sample_regions


def test_every_neighbour_lies_where_it_should_and_borders_do_not_wrap():
    pairs = sample_regions(3, 4, None)
    assert pairs.region.tolist() == list(range(12))
    for n in range(12):
        row, column = divmod(n, 4)
        for k, (down, right) in enumerate(NEIGHBOUR_OFFSETS):
            r, c = row + down, column + right
            inside = 0 <= r < 3 and 0 <= c < 4
            assert pairs.inside[n, k] == inside
            assert pairs.neighbour[n, k] == (r * 4 + c if inside else n)


def test_the_authors_neighbours_wrap_around():
    pairs = neighbour_pairs(torch.tensor([0]), 3, 4, wrap=True)
    assert pairs.inside.all()
    assert pairs.neighbour[0].tolist() == [11, 8, 9, 3, 1, 7, 4, 5]


def test_random_regions_are_distinct_and_depend_on_the_generator():
    a, b, c = (sample_regions(20, 20, 50, torch.Generator().manual_seed(seed)).region for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert len(a.unique()) == 50
    assert a.max() < 400


def test_without_a_generator_regions_form_an_even_grid():
    pairs = sample_regions(112, 112, 1024)
    assert len(pairs.region) == 28 * 28
    rows, columns = pairs.region // 112, pairs.region % 112
    assert rows.unique().diff().unique().tolist() == [4] == columns.unique().diff().unique().tolist()
    assert rows.min() == 1
    assert rows.max() == 109
    assert torch.equal(pairs.region, sample_regions(112, 112, 1024).region)
