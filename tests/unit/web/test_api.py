import pytest

from cdr.records import TokenRevoked
from tests.unit.web.house import AT, SECOND, House, call_opened, json_of

FIELDS = (
    "id calldate src dst did direction duration billsec disposition outcome outcome_reason "
    "linkedid recordings live"
)


async def test_a_call_has_exactly_the_promised_fields(house: House) -> None:
    await house.call()
    await house.recording()
    await house.recording(number=2, state="failed", relative_path=None)
    headers = await house.token()
    async with house.browser() as program:
        call = json_of(await program.get("/api/v1/calls/call-1", headers=headers))
        listed = json_of(await program.get("/api/v1/calls", headers=headers))
    assert " ".join(call) == FIELDS
    assert listed == {"calls": [call], "next": None}
    assert call["calldate"] == "2026-01-05T12:00:00.000Z"
    assert (call["disposition"], call["outcome"], call["outcome_reason"]) == (
        "ANSWERED",
        "recorded",
        "recorded",
    )
    assert call["recordings"] == [
        {
            "id": "recording-1-1",
            "url": "/api/v1/recordings/recording-1-1/audio",
            "started_at": "2026-01-05T12:00:01.000Z",
            "duration_s": 59.7,
            "bytes": 179_200,
            "sha256": "ab" * 32,
            "channels": 1,
        }
    ]


async def test_pages_follow_the_cursor_while_new_calls_come_in(house: House) -> None:
    headers = await house.token()
    for name in "12345":
        house.journal.put(call_opened(name))
    assert await house.journal.drain(5)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    async with house.browser() as program:
        for _ in range(3):
            answer = await program.get(
                "/api/v1/calls", params={"limit": "2", **cursor}, headers=headers
            )
            page = answer.json()
            seen += [call["id"] for call in page["calls"]]
            cursor = {"cursor": page["next"]}
            house.journal.put(call_opened(f"new-{len(seen)}"))
            assert await house.journal.drain(5)
    assert seen == [f"call-{name}" for name in "54321"]
    assert page["next"] is None


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "cursor=0", "cursor=x", "cursor=99999999999999999999"],
)
async def test_bad_parameters_are_a_problem_in_words(house: House, query: str) -> None:
    headers = await house.token()
    async with house.browser() as program:
        answer = await program.get(f"/api/v1/calls?{query}", headers=headers)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["title"] == "Unprocessable Content" or problem["title"].startswith("Unproc")
    assert problem["detail"].startswith(query.partition("=")[0])


async def test_tokens_have_scopes_and_can_be_revoked(house: House) -> None:
    audio_only = await house.token("audio", "player")
    headers = await house.token()
    async with house.browser() as program:
        assert (await program.get("/api/v1/calls", headers=audio_only)).status_code == 403
        assert (await program.get("/api/v1/calls", headers=headers)).status_code == 200
        await house.journal.execute(TokenRevoked(actor="cli:root", at=AT, name="reports"))
        answer = await program.get("/api/v1/calls", headers=headers)
        assert answer.status_code == 401
        assert json_of(answer)["title"] == "Unauthorized"
        assert (await program.get("/api/v1/calls")).status_code == 401


async def test_a_listener_sees_his_extensions_only(house: House) -> None:
    await house.call("1")
    await house.call("2", call_opened("2", AT + SECOND, "103", "104"), ("103", "104"))
    async with house.logged_in("eve", "listener", ("104", "105")) as browser:
        listed = (await browser.get("/api/v1/calls")).json()
        assert [call["id"] for call in listed["calls"]] == ["call-2"]
    async with house.logged_in("leo", "listener") as browser:
        assert (await browser.get("/api/v1/calls")).json()["calls"] == []
    async with house.logged_in("ada") as browser:
        assert len((await browser.get("/api/v1/calls")).json()["calls"]) == 2


async def test_the_api_is_described_to_those_who_may_use_it(house: House) -> None:
    headers = await house.token()
    async with house.browser() as program:
        description = (await program.get("/api/v1/openapi.json", headers=headers)).json()
        assert sorted(description["paths"]) == [
            "/api/v1/audit/log",
            "/api/v1/audit/recordings",
            "/api/v1/calls",
            "/api/v1/calls/{call_id}",
            "/api/v1/recordings/{recording_id}/audio",
            "/api/v1/recordings/{recording_id}/live",
        ]
        assert (await program.get("/api/v1/openapi.json")).status_code == 401
        for path in ("/docs", "/redoc", "/openapi.json"):
            assert (await program.get(path)).status_code == 404


async def test_machines_ask_for_health(house: House) -> None:
    async with house.browser() as machine:
        assert (await machine.get("/healthz")).text == "ok\n"
        assert (await machine.get("/readyz")).text == "ready\n"
        house.live.state = None
        silent = await machine.get("/readyz")
        assert (silent.status_code, silent.text) == (503, "not ready: the server does not answer\n")
        assert (await machine.get("/healthz")).status_code == 200


async def test_a_server_in_trouble_is_not_ready_and_says_why(house: House) -> None:
    assert house.live.state is not None
    house.live.state = house.live.state.__class__(
        calls=0, recordings=0, registrations=0, trouble="the journal can't write"
    )
    async with house.browser() as machine:
        answer = await machine.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready: the journal can't write\n")


async def test_a_stranger_learns_no_place_on_the_disk(house: House) -> None:
    house.database.rename(house.database.with_suffix(".away"))
    async with house.browser() as machine:
        answer = await machine.get("/readyz")
    house.database.with_suffix(".away").rename(house.database)
    assert (answer.status_code, answer.text) == (503, "not ready: the database can't be read\n")


async def test_metrics_are_for_those_who_may(house: House) -> None:
    scraper = await house.token("metrics", "prometheus")
    other = await house.token()
    async with house.browser() as machine:
        assert (await machine.get("/metrics", headers=scraper)).text == "mitschnitt_calls 2\n"
        assert (await machine.get("/metrics", headers=other)).status_code == 403
        stranger = await machine.get("/metrics")
        assert (stranger.status_code, stranger.headers["www-authenticate"]) == (401, "Bearer")
    async with house.browser(house.app(open_metrics=True)) as machine:
        answer = await machine.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    async with house.logged_in("eve", "listener") as browser:
        assert (await browser.get("/metrics")).status_code == 403
