from sip.timers import TimerHeap, Timers


def test_timers_follow_from_t1() -> None:
    assert Timers().give_up == 32.0
    assert Timers(t1=0.01).give_up == 0.64


def test_due_callbacks_come_in_order_of_time_then_of_start() -> None:
    heap, order = TimerHeap(), []
    for name, when in (("c", 3.0), ("a", 1.0), ("b1", 2.0), ("b2", 2.0)):
        heap.start(when, lambda _now, name=name: order.append(name))  # type: ignore[misc]  # default argument
    assert heap.next_when() == 1.0
    while (callback := heap.pop_due(2.0)) is not None:
        callback(2.0)
    assert order == ["a", "b1", "b2"]
    assert heap.next_when() == 3.0
    assert len(heap) == 1


def test_a_cancelled_timer_is_skipped() -> None:
    heap, order = TimerHeap(), list[float]()
    first = heap.start(1.0, order.append)
    heap.start(2.0, order.append)
    first.cancel()
    assert heap.next_when() == 2.0
    callback = heap.pop_due(5.0)
    assert callback is not None
    callback(5.0)
    assert order == [5.0]
    assert heap.pop_due(5.0) is None
    assert heap.next_when() is None


def test_cancelled_timers_do_not_pile_up() -> None:
    heap = TimerHeap()
    heap.start(1000.0, print)
    for number in range(10_000):
        heap.start(100.0 + number, print).cancel()
    assert len(heap._heap) <= 1024
    assert len(heap) == 1
    assert heap.next_when() == 1000.0
