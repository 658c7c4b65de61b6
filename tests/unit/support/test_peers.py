import pytest

from tests.support import peers


def test_a_missing_peer_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "is_there", lambda name: name == "ffmpeg")
    assert peers.missing_message(["ffmpeg"]) is None
    assert peers.missing_message(["ffmpeg", "sipp"]) == (
        "sipp: install Debian's sip-tester (`make peers`)"
    )
    assert "extra `phones`" in str(peers.missing_message(["pyVoIP"]))


def test_a_missing_peer_skips_but_fails_where_all_are_promised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peers, "is_there", lambda _: False)
    monkeypatch.delenv("MITSCHNITT_REQUIRE_PEERS", raising=False)
    with pytest.raises(pytest.skip.Exception):
        peers.require("sipp")
    monkeypatch.setenv("MITSCHNITT_REQUIRE_PEERS", "1")
    with pytest.raises(pytest.fail.Exception):
        peers.require("sipp")
