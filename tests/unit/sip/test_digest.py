import statistics
import time

import pytest

from sip import auth_params
from sip.digest import (
    Algorithm,
    Challenger,
    Ha1,
    Reason,
    Rejected,
    Stale,
    Verified,
    ha1,
    response_hash,
)
from sip.nonce import NonceMint, UsedNonces
from tests.support.challenges import ACCOUNTS, HOST, REALM, Phone, Server


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_response_is_that_of_rfc_7616_section_3_9_1(algorithm: Algorithm, expected: str) -> None:
    stored = ha1("Mufasa", "http-auth@example.org", "Circle of Life").stored(algorithm)
    assert stored is not None
    response = response_hash(
        algorithm,
        stored,
        method="GET",
        uri="/dir/index.html",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        qop=("00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"),
    )
    assert response == expected


def test_response_without_qop_is_that_of_rfc_2069_with_its_erratum() -> None:
    stored = ha1("Mufasa", "testrealm@host.com", "CircleOfLife").md5
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    response = response_hash("MD5", stored, method="GET", uri="/dir/index.html", nonce=nonce)
    assert response == "1949323746fe6a43ef61f9606e7febea"


def test_challenge_offers_md5_first_and_sha_256_second() -> None:
    headers = Challenger('a "realm"', b"key").challenge(HOST, 5.0)
    assert [name for name, _ in headers] == ["WWW-Authenticate"] * 2
    offered = [auth_params.parse(value)[1] for _, value in headers]
    assert [each["algorithm"] for each in offered] == ["MD5", "SHA-256"]
    assert {each["realm"] for each in offered} == {'a "realm"'}
    assert {each["qop"] for each in offered} == {"auth"}
    assert all("stale" not in each for each in offered)


def test_challenge_for_chosen_algorithms_and_stale() -> None:
    headers = Challenger(REALM, b"key").challenge(HOST, 5.0, ("SHA-256",), stale=True)
    assert len(headers) == 1
    assert headers[0][1].endswith('algorithm=SHA-256, qop="auth", stale=true')


def test_each_challenge_has_its_own_nonce() -> None:
    server = Server()
    assert len({server.challenge() for _ in range(100)}) == 100


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("qop", [True, False])
def test_right_password_is_verified(algorithm: Algorithm, *, qop: bool) -> None:
    server = Server()
    answer = Phone(algorithm=algorithm, qop=qop).answer(server.challenge())
    assert server.verify(answer) == Verified(username="101", algorithm=algorithm)


def test_answer_without_algorithm_is_md5() -> None:
    server = Server()
    verdict = server.verify(Phone(qop=False).answer(server.challenge(), algorithm=""))
    assert verdict == Verified(username="101", algorithm="MD5")


@pytest.mark.parametrize(
    ("phone", "reason"),
    [
        (Phone(password="wrong"), Reason.WRONG_PASSWORD),
        (Phone(username="999"), Reason.UNKNOWN_USER),
        (Phone(username="102"), Reason.WRONG_PASSWORD),
    ],
)
def test_guess_is_rejected_and_counts(phone: Phone, reason: Reason) -> None:
    server = Server()
    verdict = server.verify(phone.answer(server.challenge()))
    assert verdict == Rejected(reason=reason, username=phone.username)
    assert verdict.counts


def test_answer_for_another_method_is_rejected() -> None:
    server = Server()
    answer = Phone().answer(server.challenge(), "REGISTER")
    assert server.verify(answer, "INVITE") == Rejected(reason=Reason.WRONG_PASSWORD, username="101")


@pytest.mark.parametrize(
    ("replace", "reason"),
    [
        ({"realm": '"elsewhere"'}, Reason.NO_CREDENTIALS),
        ({"realm": ""}, Reason.NO_CREDENTIALS),
        ({"username": ""}, Reason.MALFORMED),
        ({"username": '""'}, Reason.MALFORMED),
        ({"uri": ""}, Reason.MALFORMED),
        ({"nonce": ""}, Reason.MALFORMED),
        ({"response": ""}, Reason.MALFORMED),
        ({"nc": ""}, Reason.MALFORMED),
        ({"nc": "1"}, Reason.MALFORMED),
        ({"nc": "0000000g"}, Reason.MALFORMED),
        ({"nc": "\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661"}, Reason.MALFORMED),
        ({"cnonce": ""}, Reason.MALFORMED),
        ({"qop": "auth-int"}, Reason.UNSUPPORTED),
        ({"algorithm": "MD5-sess"}, Reason.UNSUPPORTED),
        ({"algorithm": "SHA-512-256"}, Reason.UNSUPPORTED),
        ({"nonce": '"AAAA"'}, Reason.FOREIGN_NONCE),
        ({"nonce": '"n\u00f6nce"'}, Reason.FOREIGN_NONCE),
        ({"nonce": '"not base64 at all!"'}, Reason.FOREIGN_NONCE),
        ({"response": '"\u00e9"'}, Reason.WRONG_PASSWORD),
        ({"username": '"101\ud800"'}, Reason.MALFORMED),
        ({"extra": "\x00, ,"}, Reason.MALFORMED),
    ],
)
def test_odd_credentials_are_rejected(replace: dict[str, str], reason: Reason) -> None:
    server = Server()
    verdict = server.verify(Phone().answer(server.challenge(), **replace))
    assert isinstance(verdict, Rejected)
    assert verdict.reason is reason
    assert verdict.counts == (reason is Reason.WRONG_PASSWORD)


@pytest.mark.parametrize("value", ["", "Digest", "Basic bm9ib2R5", 'Digest a="', "NoOneKnows x=1"])
def test_other_values_are_rejected_without_an_account_being_looked_up(value: str) -> None:
    def lookup(username: str) -> Ha1 | None:
        raise AssertionError(username)

    verdict = Challenger(REALM, b"key").verify(value, "REGISTER", HOST, 1.0, lookup)
    assert isinstance(verdict, Rejected)
    assert not verdict.counts


def test_quoted_qop_and_upper_case_response_are_understood() -> None:
    server = Server()
    answer = Phone().answer(server.challenge(), qop='"auth"')
    response = auth_params.parse(answer)[1]["response"]
    assert isinstance(server.verify(answer.replace(response, response.upper())), Verified)


def test_answer_without_qop_can_be_refused() -> None:
    server = Server()
    answer = Phone(qop=False).answer(server.challenge())
    assert server.verify(answer, no_qop=False) == Rejected(reason=Reason.NO_QOP)
    assert isinstance(server.verify(Phone().answer(server.challenge()), no_qop=False), Verified)


def test_username_with_odd_octets_is_an_unknown_user() -> None:
    server = Server()
    verdict = server.verify(Phone().answer(server.challenge(), username='"\udcff101"'))
    assert isinstance(verdict, Rejected)
    assert verdict.reason is Reason.UNKNOWN_USER


# --- the account's algorithms


def test_account_for_sha_256_only_does_not_take_md5() -> None:
    stored = ACCOUNTS["101"]
    strict = Ha1(md5=stored.md5, sha256=stored.sha256, algorithms=("SHA-256",))
    server = Server({"101": strict})
    verdict = server.verify(Phone(algorithm="MD5").answer(server.challenge()))
    assert verdict == Rejected(reason=Reason.ALGORITHM_NOT_ALLOWED, username="101")
    assert isinstance(
        server.verify(Phone(algorithm="SHA-256").answer(server.challenge())), Verified
    )


def test_hash_that_is_not_stored_is_not_the_empty_secret() -> None:
    server = Server({"101": Ha1(md5="", sha256=ACCOUNTS["101"].sha256)})
    nonce = auth_params.parse(server.challenge())[1]["nonce"]
    guess = response_hash("MD5", "", method="REGISTER", uri="sip:x", nonce=nonce)
    verdict = server.verify(
        f'Digest username="101", realm="{REALM}", nonce="{nonce}", uri="sip:x", response="{guess}"'
    )
    assert verdict == Rejected(reason=Reason.ALGORITHM_NOT_ALLOWED, username="101")


# --- the life of a nonce


def test_nonce_belongs_to_the_host_that_it_was_given_to() -> None:
    server = Server()
    answer = Phone().answer(server.challenge())
    verdict = server.verify(answer, host="192.0.2.11")
    assert verdict == Rejected(reason=Reason.FOREIGN_NONCE, username="101")
    assert not verdict.counts


def test_nonce_belongs_to_realm_and_start() -> None:
    server = Server()
    answer = Phone().answer(server.challenge())
    restarted = Challenger(REALM, b"another key")
    verdict = restarted.verify(answer, "REGISTER", HOST, server.now, ACCOUNTS.get)
    assert verdict == Rejected(reason=Reason.FOREIGN_NONCE, username="101")
    other = Challenger("other", b"key of this start")
    answer = Phone().answer(other.challenge(HOST, server.now)[0][1], realm=f'"{REALM}"')
    assert server.verify(answer) == Rejected(reason=Reason.FOREIGN_NONCE, username="101")


@pytest.mark.parametrize(("age_s", "kind"), [(0.0, Verified), (30.0, Verified), (30.01, Stale)])
def test_correct_response_under_an_expired_nonce_is_stale(age_s: float, kind: type) -> None:
    server = Server()
    answer = Phone().answer(server.challenge())
    server.now += age_s
    assert isinstance(server.verify(answer), kind)


def test_wrong_response_under_an_expired_nonce_is_not_stale() -> None:
    server = Server()
    answer = Phone(password="wrong").answer(server.challenge())
    server.now += 100.0
    assert isinstance(server.verify(answer), Rejected)


def test_nonce_from_the_future_is_stale() -> None:
    server = Server()
    answer = Phone().answer(server.challenge())
    server.now -= 500.0
    assert isinstance(server.verify(answer), Stale)


def test_nonce_without_qop_lives_sixty_seconds_at_most() -> None:
    challenger = Challenger(REALM, b"key", lifetime_s=3600.0)
    for qop, kind in ((True, Verified), (False, Stale)):
        answer = Phone(qop=qop).answer(challenger.challenge(HOST, 0.0)[0][1])
        assert isinstance(challenger.verify(answer, "REGISTER", HOST, 61.0, ACCOUNTS.get), kind)


def test_count_must_grow() -> None:
    server = Server()
    challenge, phone = server.challenge(), Phone()
    first, second = phone.answer(challenge), phone.answer(challenge)
    assert isinstance(server.verify(first), Verified)
    assert isinstance(server.verify(second), Verified)
    assert isinstance(server.verify(second), Stale), "the same again is a replay"
    assert isinstance(server.verify(first), Stale), "an older one too"
    phone.count = 0xFFFFFFFE
    assert isinstance(server.verify(phone.answer(challenge)), Verified), "gaps are fine"


def test_count_of_zero_is_stale() -> None:
    server = Server()
    assert isinstance(server.verify(Phone(count=-1).answer(server.challenge())), Stale)


def test_guess_does_not_use_up_the_count() -> None:
    server = Server()
    challenge = server.challenge()
    server.verify(Phone(password="wrong", count=50).answer(challenge))
    assert isinstance(server.verify(Phone().answer(challenge)), Verified)


def test_nonce_without_qop_serves_one_invite() -> None:
    server = Server()
    challenge, phone = server.challenge(), Phone(qop=False)
    invite = phone.answer(challenge, "INVITE")
    assert isinstance(server.verify(invite, "INVITE"), Verified)
    assert isinstance(server.verify(invite, "INVITE"), Stale)


def test_nonce_without_qop_serves_other_methods_while_it_lives() -> None:
    server = Server()
    answer = Phone(qop=False).answer(server.challenge())
    assert [type(server.verify(answer)) for _ in range(3)] == [Verified] * 3
    server.now += 31
    assert isinstance(server.verify(answer), Stale)


# --- bounds


def test_full_memory_never_allows_a_replay() -> None:
    server = Server(max_remembered=10)
    answers = []
    for _ in range(50):
        answers.append(Phone().answer(server.challenge()))
        assert isinstance(server.verify(answers[-1]), Verified)
        server.now += 0.001
    assert len(server.challenger._used) == 10
    assert {type(server.verify(answer)) for answer in answers} == {Stale}


def test_nonce_older_than_what_a_full_memory_dropped_is_stale() -> None:
    used = UsedNonces(2)
    assert used.remember("b", 20, 1)
    assert used.remember("c", 30, 1)
    assert not used.remember("a", 10, 1), "older than what had to go for it"
    assert not used.reaches(20)
    assert used.reaches(21)


def test_memory_forgets_what_has_expired() -> None:
    server = Server()
    for _ in range(20):
        server.verify(Phone().answer(server.challenge()))
    assert len(server.challenger._used) == 20
    server.now += 31
    server.verify(Phone().answer(server.challenge()))
    assert len(server.challenger._used) == 1


def test_other_spelling_of_a_nonce_is_foreign() -> None:
    mint = NonceMint(b"key")
    while True:
        nonce = mint.issue(HOST, 7.0)
        other = nonce.replace("-", "+").replace("_", "/")
        if other != nonce:
            break
    assert mint.issued_at(nonce, HOST) == 7_000_000
    assert mint.issued_at(other, HOST) is None


# --- several headers, and the parameters


def test_header_of_our_realm_is_selected() -> None:
    challenger = Challenger(REALM, b"key")
    ours = f'Digest username="101", realm="{REALM}"'
    others = ['Digest realm="proxy"', f'Basic realm="{REALM}"', "Digest a=,", ""]
    assert challenger.select([*others, ours, f'Digest realm="{REALM}"']) == ours
    assert challenger.select(others) is None


def test_commas_and_quotes_inside_quoted_values() -> None:
    value = 'dIgEsT  a="x, y=z" ,B = "q\\"\\\\u" ,c=tok/en=,d=""'
    assert auth_params.parse(value) == (
        "digest",
        {"a": "x, y=z", "b": 'q"\\u', "c": "tok/en=", "d": ""},
    )


@pytest.mark.parametrize(
    "value",
    ["", " ", "=", "Digest a", "Digest a=", 'Digest a="b', 'Digest a="b"c=d', "Digest a=1, A=2"],
)
def test_malformed_parameters(value: str) -> None:
    with pytest.raises(auth_params.AuthParamsError):
        auth_params.parse(value)


def test_parameters_are_bounded() -> None:
    with pytest.raises(auth_params.AuthParamsError):
        auth_params.parse("Digest a=" + "b" * auth_params.MAX_LENGTH)


def test_parsing_of_hostile_values_is_linear() -> None:
    for value in (
        'Digest a="' + "\\" * 4000,
        "Digest a" + " " * 4000 + "b",
        "Digest a=" + '"' * 4000,
    ):
        started = time.process_time()
        with pytest.raises(auth_params.AuthParamsError):
            auth_params.parse(value)
        assert time.process_time() - started < 0.05


def test_unknown_user_costs_what_a_wrong_password_costs() -> None:
    """Compare medians; the border is wide because the machine is shared."""
    server = Server()
    known = Phone(password="wrong").answer(server.challenge())
    unknown = Phone(username="999", password="wrong").answer(server.challenge())
    spent: dict[str, list[int]] = {known: [], unknown: []}
    for _ in range(400):
        for answer, samples in spent.items():
            started = time.perf_counter_ns()
            server.verify(answer)
            samples.append(time.perf_counter_ns() - started)
    ratio = statistics.median(spent[known]) / statistics.median(spent[unknown])
    assert 0.7 < ratio < 1.43
