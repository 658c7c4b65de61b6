"""A server that challenges, and a telephone that answers as real ones do."""

from dataclasses import dataclass

from sip import auth_params
from sip.digest import Algorithm, Challenger, Ha1, Verdict, ha1, response_hash

REALM = "mitschnitt"
HOST = "192.0.2.10"
ACCOUNTS = {
    "101": ha1("101", REALM, "secret of 101"),
    "102": ha1("102", REALM, "secret of 102"),
}


@dataclass
class Phone:
    """Answers a challenge as a phone would."""

    username: str = "101"
    password: str = "secret of 101"
    algorithm: Algorithm = "MD5"
    qop: bool = True
    count: int = 0

    def answer(self, challenge: str, method: str = "REGISTER", **replace: str) -> str:
        offered = auth_params.parse(challenge)[1]
        self.count += 1
        secret = ha1(self.username, offered["realm"], self.password)
        fields = {
            "username": auth_params.quote(self.username),
            "realm": auth_params.quote(offered["realm"]),
            "nonce": auth_params.quote(offered["nonce"]),
            "uri": '"sip:192.0.2.1;transport=UDP"',
            "algorithm": self.algorithm,
        }
        qop = None
        if self.qop:
            qop = (f"{self.count:08x}", "0a4f113b")
            fields |= {"qop": "auth", "nc": qop[0], "cnonce": '"0a4f113b"'}
        response = response_hash(
            self.algorithm,
            secret.md5 if self.algorithm == "MD5" else secret.sha256,
            method=method,
            uri="sip:192.0.2.1;transport=UDP",
            nonce=offered["nonce"],
            qop=qop,
        )
        fields |= {"response": f'"{response}"'} | replace
        return "Digest " + ", ".join(f"{k}={v}" for k, v in fields.items() if v)


class Server:
    """A challenger with its accounts and a clock."""

    def __init__(self, accounts: dict[str, Ha1] | None = None, **options: int) -> None:
        self.challenger = Challenger(REALM, b"key of this start", **options)
        self.accounts = ACCOUNTS if accounts is None else accounts
        self.now = 1000.0

    def challenge(self, host: str = HOST) -> str:
        return self.challenger.challenge(host, self.now)[0][1]

    def verify(
        self, value: str, method: str = "REGISTER", host: str = HOST, *, no_qop: bool = True
    ) -> Verdict:
        return self.challenger.verify(
            value, method, host, self.now, self.accounts.get, allow_no_qop=no_qop
        )
