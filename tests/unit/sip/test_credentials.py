"""The client's side of digest: what is answered, how often, and what never is."""

import hashlib

import pytest

from sip import auth_params
from sip.credentials import MAX_NONCES, Account, Credentials, asked_realms
from sip.message import Response

REALM = "provider.example"
URI = "sip:030@provider.example"


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def credentials(*realms: str, username: str = "u1") -> Credentials:
    account = Account(username=username, password="secret", realms=frozenset(realms or (REALM,)))
    return Credentials(account, cnonce=lambda: "c0ffee")


def challenged(*challenges: str, code: int = 401, name: str = "WWW-Authenticate") -> Response:
    response = Response(code, "No")
    for challenge in challenges:
        response.headers.add(name, challenge)
    return response


def challenge(nonce: str = "n1", *, realm: str = REALM, more: str = ', qop="auth"') -> str:
    return f'Digest realm="{realm}", nonce="{nonce}"{more}'


def answered(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The parameters of the one answer."""
    ((name, value),) = headers
    assert name == "Authorization"
    scheme, parameters = auth_params.parse(value)
    assert scheme == "digest"
    return parameters


def test_the_answer_of_rfc_7616_section_3_9_1() -> None:
    """Its example, for both algorithms; the method there is GET."""
    account = Account(
        username="Mufasa",
        password="Circle of Life",
        realms=frozenset({"http-auth@example.org"}),
    )
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    for algorithm, expected in (
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        attempt = Credentials(account, cnonce=lambda: cnonce).attempt()
        asked = challenged(
            f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
            'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
            'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
        )
        parameters = answered(attempt.answer(asked, "GET", "/dir/index.html"))
        assert parameters["response"] == expected
        assert parameters["opaque"] == "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
        assert (parameters["nc"], parameters["qop"]) == ("00000001", "auth")
        assert parameters["algorithm"] == algorithm


def test_without_qop_as_rfc_2069_has_it() -> None:
    asked = challenged(challenge(more=""))
    parameters = answered(credentials().attempt().answer(asked, "REGISTER", URI))
    expected = md5(f"{md5(f'u1:{REALM}:secret')}:n1:{md5(f'REGISTER:{URI}')}")
    assert parameters["response"] == expected
    assert not {"qop", "nc", "cnonce", "algorithm", "opaque"} & parameters.keys()


def test_a_proxy_is_answered_in_the_header_for_proxies() -> None:
    asked = challenged(challenge(), code=407, name="Proxy-Authenticate")
    ((name, _),) = credentials().attempt().answer(asked, "INVITE", URI)
    assert name == "Proxy-Authorization"


def test_a_realm_that_is_not_ours_is_never_answered() -> None:
    attempt = credentials().attempt()
    foreign = challenge(realm="phone.example")
    assert attempt.answer(challenged(foreign), "INVITE", URI) == ()
    assert attempt.answer(challenged(challenge(realm="")), "INVITE", URI) == ()
    both = attempt.answer(challenged(foreign, challenge()), "INVITE", URI)
    assert answered(both)["realm"] == REALM
    assert asked_realms(challenged(foreign, challenge())) == ("phone.example", REALM)


def test_a_wrong_password_is_sent_once() -> None:
    attempt = credentials().attempt()
    assert attempt.answer(challenged(challenge("n1")), "INVITE", URI)
    assert attempt.answer(challenged(challenge("n2")), "INVITE", URI) == ()


def test_a_stale_nonce_is_answered_once_more_and_no_more() -> None:
    attempt = credentials().attempt()
    stale = ', qop="auth", stale=TRUE'
    assert attempt.answer(challenged(challenge("n1")), "INVITE", URI)
    again = attempt.answer(challenged(challenge("n2", more=stale)), "INVITE", URI)
    assert answered(again)["nonce"] == "n2"
    assert attempt.answer(challenged(challenge("n3", more=stale)), "INVITE", URI) == ()


def test_the_next_request_may_answer_again_and_a_nonce_is_counted() -> None:
    ours = credentials()
    counts = [
        answered(ours.attempt().answer(challenged(challenge(nonce)), "INVITE", URI))["nc"]
        for nonce in ("n1", "n1", "n2", "n1")
    ]
    assert counts == ["00000001", "00000002", "00000001", "00000003"]


def test_counting_takes_a_bounded_room() -> None:
    ours = credentials()
    for number in range(3 * MAX_NONCES):
        ours.attempt().answer(challenged(challenge(f"n{number}")), "INVITE", URI)
    assert len(ours._used) == MAX_NONCES


def test_two_proxies_in_a_row_are_both_answered_in_the_end() -> None:
    attempt = credentials("a.example", "b.example").attempt()
    first = challenged(challenge(realm="a.example"), code=407, name="Proxy-Authenticate")
    second = challenged(challenge(realm="b.example"), code=407, name="Proxy-Authenticate")
    assert len(attempt.answer(first, "INVITE", URI)) == 1
    both = attempt.answer(second, "INVITE", URI)
    realms = [auth_params.parse(value)[1]["realm"] for _, value in both]
    assert realms == ["a.example", "b.example"]
    assert [auth_params.parse(value)[1]["nc"] for _, value in both] == ["00000002", "00000001"]


def test_the_first_challenge_that_we_know_is_taken() -> None:
    asked = challenged(
        challenge("n1", more=", algorithm=SHA-512-256"),
        challenge("n2", more=", algorithm=sha-256"),
        challenge("n3", more=", algorithm=MD5"),
    )
    parameters = answered(credentials().attempt().answer(asked, "INVITE", URI))
    assert (parameters["nonce"], parameters["algorithm"]) == ("n2", "SHA-256")


@pytest.mark.parametrize(
    "text",
    [
        f'Basic realm="{REALM}"',
        f'Digest realm="{REALM}"',
        f'Digest realm="{REALM}", nonce=""',
        challenge(more=', qop="auth-int"'),
        challenge(more=", algorithm=MD5-sess"),
        challenge(more=', qop="auth'),
        challenge(more=', nonce="twice"'),
        "Digest",
        "",
        "x" * 5000,
    ],
)
def test_what_we_can_not_answer(text: str) -> None:
    assert credentials().attempt().answer(challenged(text), "INVITE", URI) == ()


def test_quotes_in_names_stay_where_they_are() -> None:
    ours = credentials(username='a"b\\c')
    asked = challenged(challenge())
    parameters = answered(ours.attempt().answer(asked, "INVITE", URI))
    assert parameters["username"] == 'a"b\\c'


def test_a_password_does_not_show_itself() -> None:
    assert "secret" not in repr(credentials().account)
