"""Our client convinces our server, whatever the account; and answers nobody else."""

from hypothesis import given
from hypothesis import strategies as st

from sip import auth_params
from sip.credentials import Account, Credentials
from sip.digest import ALGORITHMS, Algorithm, Challenger, Verified, ha1
from sip.message import Response

HOST = "192.0.2.1"

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)


def challenged(challenger: Challenger, algorithms: tuple[Algorithm, ...], now: float) -> Response:
    response = Response(401, "Unauthorized")
    for name, value in challenger.challenge(HOST, now, algorithms):
        response.headers.add(name, value)
    return response


@given(
    username=texts,
    password=texts,
    realm=texts,
    algorithms=st.permutations(ALGORITHMS).map(tuple)
    | st.sampled_from(ALGORITHMS).map(lambda a: (a,)),
    method=st.sampled_from(["REGISTER", "INVITE", "BYE"]),
    uri=texts,
    requests=st.integers(min_value=1, max_value=4),
)
def test_the_server_verifies_what_the_client_answers(  # noqa: PLR0917 - what is given
    username: str,
    password: str,
    realm: str,
    algorithms: tuple[Algorithm, ...],
    method: str,
    uri: str,
    requests: int,
) -> None:
    challenger = Challenger(realm, b"key")
    client = Credentials(
        Account(username=username, password=password, realms=frozenset({realm})),
        cnonce=lambda: "c",
    )
    asked = challenged(challenger, algorithms, 1.0)
    for _ in range(requests):
        ((_, value),) = client.attempt().answer(asked, method, uri)
        verdict = challenger.verify(
            value, method, HOST, 1.0, {username: ha1(username, realm, password)}.get
        )
        assert verdict == Verified(username=username, algorithm=algorithms[0])


@given(texts | st.binary(max_size=200).map(lambda octets: octets.decode("latin-1")), texts)
def test_whatever_a_challenge_says_no_other_realm_is_answered(text: str, realm: str) -> None:
    client = Credentials(
        Account(username="u", password="p", realms=frozenset({"ours"})), cnonce=lambda: "c"
    )
    response = Response(407, "No")
    for value in (text, f"Digest {text}", f'Digest nonce="n", realm={auth_params.quote(realm)}'):
        response.headers.add("Proxy-Authenticate", value)
        response.headers.add("WWW-Authenticate", value)
    for _, value in client.attempt().answer(response, "INVITE", "sip:x"):
        assert auth_params.parse(value)[1]["realm"] == "ours"
