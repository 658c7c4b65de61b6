"""What the layer adds to the tables, where calls do not lead."""

from sip.address import Flow
from sip.message import Request, parse
from sip.timers import TimerHeap, Timers
from sip.transaction import State
from sip.transaction_layer import TransactionLayer
from tests.support.sip_raw import FLOW, request


def make_layer() -> tuple[TransactionLayer, list[tuple[bytes, Flow]]]:
    outbox = list[tuple[bytes, Flow]]()
    return TransactionLayer(Timers(), TimerHeap(), outbox, lambda _name: None), outbox


def test_a_retransmission_before_any_response_gets_nothing() -> None:
    layer, outbox = make_layer()
    message = parse(request("INVITE"))
    assert isinstance(message, Request)
    transaction = layer.open_server(message, FLOW, 0.0)
    layer.receive_again(transaction, 0.1)
    assert outbox == []


def test_a_provisional_response_to_another_request_is_repeated() -> None:
    layer, outbox = make_layer()
    message = parse(request("OPTIONS"))
    assert isinstance(message, Request)
    transaction = layer.open_server(message, FLOW, 0.0)
    layer.respond(transaction, 100, b"trying", 0.0)
    assert not transaction.final
    layer.receive_again(transaction, 0.1)
    assert outbox == [(b"trying", FLOW), (b"trying", FLOW)]
    layer.respond(transaction, 200, b"ok", 0.2)
    layer.respond(transaction, 404, b"late", 0.3)
    assert transaction.state is State.COMPLETED
    assert outbox[2:] == [(b"ok", FLOW)]


def test_the_transport_fails_under_a_sent_response() -> None:
    layer, _ = make_layer()
    message = parse(request("OPTIONS"))
    assert isinstance(message, Request)
    transaction = layer.open_server(message, FLOW, 0.0)
    layer.respond(transaction, 200, b"ok", 0.2)
    layer.transport_failed(FLOW, 0.3)
    assert len(layer) == 0
    assert layer.by_id(transaction.id) is None
