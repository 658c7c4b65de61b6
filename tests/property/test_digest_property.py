"""Whatever the network sends, a verdict comes back, and only the password opens."""

from hypothesis import given
from hypothesis import strategies as st

from sip import auth_params
from sip.digest import Challenger, Rejected, Stale, Verified, ha1, response_hash

REALM = "mitschnitt"
HOST = "2001:db8::10"
ACCOUNTS = {"101": ha1("101", REALM, "secret")}

names = st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.dictionaries(names, values, max_size=12))
def test_parameters_written_are_parameters_read(parameters: dict[str, str]) -> None:
    written = ", ".join(f"{name}={auth_params.quote(text)}" for name, text in parameters.items())
    assert auth_params.parse(f"Digest {written}") == ("digest", parameters)


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda b: b.decode("latin-1")))
def test_any_text_is_rejected_without_an_exception(text: str) -> None:
    challenger = Challenger(REALM, b"key")
    for value in (text, f"Digest {text}", f'Digest realm="{REALM}", {text}'):
        verdict = challenger.verify(value, "REGISTER", HOST, 1.0, ACCOUNTS.get)
        assert isinstance(verdict, Rejected)


@given(
    field=st.sampled_from(["username", "realm", "nonce", "uri", "response", "nc", "cnonce"]),
    text=values,
)
def test_no_field_of_a_correct_answer_can_be_changed(field: str, text: str) -> None:
    challenger = Challenger(REALM, b"key")
    nonce = auth_params.parse(challenger.challenge(HOST, 1.0)[0][1])[1]["nonce"]
    fields = {
        "username": "101",
        "realm": REALM,
        "nonce": nonce,
        "uri": "sip:192.0.2.1",
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "abc",
    }
    stored = ACCOUNTS["101"].sha256
    fields["response"] = response_hash(
        "SHA-256",
        stored,
        method="REGISTER",
        uri=fields["uri"],
        nonce=nonce,
        qop=("00000001", "abc"),
    )
    changed = fields | {field: text}
    value = "Digest algorithm=SHA-256, " + ", ".join(
        f"{name}={auth_params.quote(each)}" for name, each in changed.items()
    )
    verdict = challenger.verify(value, "REGISTER", HOST, 1.0, ACCOUNTS.get)
    unchanged = text == fields[field] or (
        field == "response" and text.lower() == fields["response"]
    )
    assert isinstance(verdict, Verified) == unchanged


@given(st.lists(st.integers(min_value=0, max_value=12), max_size=40))
def test_each_count_is_accepted_only_above_the_last(counts: list[int]) -> None:
    challenger = Challenger(REALM, b"key")
    nonce = auth_params.parse(challenger.challenge(HOST, 1.0)[0][1])[1]["nonce"]
    highest = 0
    for count in counts:
        nc = f"{count:08x}"
        response = response_hash(
            "MD5", ACCOUNTS["101"].md5, method="INVITE", uri="sip:x", nonce=nonce, qop=(nc, "c")
        )
        verdict = challenger.verify(
            f'Digest username="101", realm="{REALM}", nonce="{nonce}", uri="sip:x", qop=auth, '
            f'nc={nc}, cnonce="c", response="{response}"',
            "INVITE",
            HOST,
            1.0,
            ACCOUNTS.get,
        )
        assert isinstance(verdict, Verified if count > highest else Stale)
        highest = max(highest, count)
