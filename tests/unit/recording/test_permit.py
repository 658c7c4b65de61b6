import pytest

from recording import permit
from recording.permit import Basis, InvalidPermitError, RecordingPermit

PERMIT = permit.grant(call_id="c", party_id="p", basis=Basis.OPT_IN, evidence_id="e", epoch=3)


def test_covers_its_party_and_epoch_only() -> None:
    assert PERMIT.covers(party_id="p", epoch=3)
    assert not PERMIT.covers(party_id="q", epoch=3)
    assert not PERMIT.covers(party_id="p", epoch=4)
    assert not PERMIT.covers(party_id="p", epoch=2)


@pytest.mark.parametrize("basis", Basis)
def test_round_trip(basis: Basis) -> None:
    made = permit.grant(call_id="c", party_id="p", basis=basis, evidence_id="e", epoch=0)
    assert permit.decode(permit.encode(made)) == made
    assert isinstance(made, RecordingPermit)


@pytest.mark.parametrize("data", [b"", b"\xc0", b"nonsense", permit.encode(PERMIT)[:-1], b"\x80"])
def test_what_is_no_permit(data: bytes) -> None:
    with pytest.raises(InvalidPermitError):
        permit.decode(data)


def test_a_permit_of_an_unknown_basis_is_none() -> None:
    forged = permit.encode(PERMIT).replace(b"opt_in", b"opt_on")
    with pytest.raises(InvalidPermitError):
        permit.decode(forged)
