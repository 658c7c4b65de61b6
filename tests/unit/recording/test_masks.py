from recording.masks import Masks


def test_a_mask_that_is_open_reaches_as_far_as_one_looks() -> None:
    masks = Masks()
    assert masks.before(100) == []
    masks.begin(10)
    masks.begin(20)
    assert masks.before(100) == [(10, 100)]
    masks.end(30)
    masks.end(40)
    assert masks.before(100) == [(10, 30)]


def test_only_what_was_mixed_is_forgotten() -> None:
    masks = Masks()
    for begin, end in ((10, 20), (30, 40)):
        masks.begin(begin)
        masks.end(end)
    masks.begin(50)
    masks.forget(20)
    assert masks.before(60) == [(30, 40), (50, 60)]
    masks.forget(60)
    assert masks.before(70) == [(50, 70)]
