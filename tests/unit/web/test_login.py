import re
from dataclasses import replace

import pytest

from cdr.account_records import UserChanged
from tests.unit.web.house import AT, PASSWORD, House, json_of
from web.errors import UnavailableError
from web.forms import local_path
from web.passwords import MAX_WAITING, Passwords
from web.secret import digest


async def test_without_a_session_every_page_leads_to_the_login(house: House) -> None:
    async with house.browser() as browser:
        for path in ("/calls?number=5", "/extensions", "/storage"):
            answer = await browser.get(path)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/login?next=%2F")
        page = await browser.get("/calls?number=5", follow_redirects=True)
        assert 'value="/calls?number=5"' in page.text
        assert (await browser.post("/storage/test")).status_code == 401


async def test_a_login_opens_a_session_and_goes_where_one_wanted_to(house: House) -> None:
    await house.user()
    async with house.browser() as browser:
        answer = await browser.log_in(target="/calls?number=5")
        assert (answer.status_code, answer.headers["location"]) == (303, "/calls?number=5")
        cookie = answer.headers["set-cookie"]
        for word in ("mitschnitt=", "HttpOnly", "SameSite=strict", "Path=/"):
            assert word in cookie
        assert "Secure" not in cookie
        assert "Domain" not in cookie
        secret = cookie.partition("=")[2].partition(";")[0]
        assert len(secret) >= 43
        assert secret.encode() not in house.database.read_bytes()
        assert (await browser.get("/calls")).status_code == 200
        assert (await browser.get("/login")).headers["location"] == "/calls"
    assert ("web:ada", "session.open", "ada") in await house.audited()


@pytest.mark.parametrize("base", ["https://house", "http://house"], ids=["direct", "proxy"])
async def test_over_tls_the_cookie_is_bound_to_the_host(house: House, base: str) -> None:
    await house.user()
    app = house.app(public_url="https://house" if base == "http://house" else "")
    async with house.browser(app, base) as browser:
        answer = await browser.post(
            "/login",
            data={"name": "ada", "password": PASSWORD},
            headers={"Origin": "https://house"},
        )
    assert answer.status_code == 303
    assert answer.headers["set-cookie"].startswith("__Host-mitschnitt=")
    assert "; Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada", "wrong"), ("nobody", PASSWORD), ("", PASSWORD), ("a" * 500, "x"), ("gone", PASSWORD)],
)
async def test_a_wrong_login_is_refused_with_one_and_the_same_sentence(
    house: House, name: str, password: str
) -> None:
    await house.user()
    await house.user("gone")
    await house.journal.execute(UserChanged(actor="cli:root", at=AT, name="gone", disabled=True))
    async with house.browser() as browser:
        answer = await browser.log_in(name, password)
        assert answer.status_code == 401
        assert "User name or password is not right." in answer.text
        assert "set-cookie" not in answer.headers
    assert (await house.audited())[-1] == ("web", "login.refused", name[:80])


async def test_guessing_is_slowed_down_and_the_right_password_waits_too(house: House) -> None:
    await house.user()
    async with house.browser() as browser, house.browser(source="192.0.2.8") as elsewhere:
        for _ in range(5):
            assert (await browser.log_in(password="guess")).status_code == 401
        answer = await browser.log_in()
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "2"
        assert "Please wait 2 seconds." in answer.text
        house.clock.pass_s(2)
        assert (await browser.log_in(password="guess")).status_code == 401
        assert (await browser.log_in()).headers["retry-after"] == "4"
        assert (await elsewhere.log_in()).status_code == 303, "the owner is not locked out"
        house.clock.pass_s(4)
        assert (await browser.log_in()).status_code == 303


async def test_another_users_name_is_not_slowed_down(house: House) -> None:
    await house.user()
    async with house.browser() as browser:
        for _ in range(6):
            await browser.log_in("eve", "guess")
        assert (await browser.log_in()).status_code == 303


async def test_a_session_ends_after_an_idle_hour_and_after_a_day(house: House) -> None:
    async with house.logged_in() as browser:
        for _ in range(12):
            house.clock.pass_s(3540)
            assert (await browser.get("/calls")).status_code == 200
        house.clock.pass_s(720)
        assert (await browser.get("/calls")).status_code == 303, "twelve hours have passed"
        assert (await browser.log_in()).status_code == 303
        house.clock.pass_s(3600)
        answer = await browser.get("/calls", follow_redirects=True)
        assert "Your session has expired." in answer.text


async def test_a_silent_server_does_not_end_sessions(house: House) -> None:
    async with house.logged_in() as browser:
        house.changes.silent = True
        house.live.state = None
        house.clock.pass_s(600)
        page = await browser.get("/calls")
        assert page.status_code == 200
        assert "The call server does not answer just now." in page.text


async def test_without_the_writer_nobody_gets_in(house: House) -> None:
    await house.user()
    house.changes.silent = True
    async with house.browser() as browser:
        answer = await browser.log_in()
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert "set-cookie" not in answer.headers


async def test_a_logout_forgets_the_session_on_both_sides(house: House) -> None:
    async with house.logged_in() as browser:
        before = dict(browser.cookies)
        answer = await browser.submit("/logout")
        assert answer.headers["location"] == "/login?reason=out"
        assert "mitschnitt" not in browser.cookies
        browser.cookies.update(before)
        assert (await browser.get("/calls")).status_code == 303
    assert (await house.audited())[-1] == ("web:ada", "session.close", "ada")


async def test_a_new_password_ends_the_session(house: House) -> None:
    async with house.logged_in() as browser:
        changed = UserChanged(actor="cli:root", at=AT, name="ada")
        await house.journal.execute(replace(changed, password_hash="$argon2id$new"))
        assert (await browser.get("/calls")).status_code == 303
        assert (await browser.log_in()).status_code == 401, "a hash that can't be read is no key"


@pytest.mark.parametrize("cookie", ["", "x", "x" * 43, "x" * 5000, "ä" * 30])
async def test_a_made_up_cookie_opens_nothing(house: House, cookie: str) -> None:
    async with house.logged_in(), house.browser() as stranger:
        header = {"Cookie": f"mitschnitt={cookie}".encode()}
        answer = await stranger.get("/calls", headers=header)  # type: ignore[arg-type] # raw bytes
        assert answer.status_code == 303


async def test_the_hash_in_the_database_is_no_key(house: House) -> None:
    async with house.logged_in() as browser, house.browser() as thief:
        found = await house.reader.session(digest(browser.cookies["mitschnitt"]))
        assert found is not None
        thief.cookies.set("mitschnitt", found[0].id_hash)
        assert (await thief.get("/calls")).status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/a\\b",
        "/x\r\nSet-Cookie: a=b",
        "/\t/evil.example",
        "javascript:alert(1)",
        "",
        "/" + "a" * 3000,
    ],
)
def test_a_login_never_leads_to_another_site(target: str) -> None:
    assert local_path(target) == "/calls"


async def test_too_many_logins_at_a_time_are_turned_away() -> None:
    passwords = Passwords()
    passwords._waiting = MAX_WAITING
    with pytest.raises(UnavailableError):
        await passwords.verify(None, "x")
    passwords.close()


async def test_the_language_follows_the_browser_and_then_the_choice(house: House) -> None:
    async with house.browser() as browser:
        german = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}
        page = await browser.get("/login", headers=german)
        assert '<html lang="de">' in page.text
        assert page.headers["content-language"] == "de"
        answer = await browser.get("/language/en?next=/login", headers=german)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert '<html lang="en">' in (await browser.get("/login", headers=german)).text
        away = await browser.get("/language/en?next=//evil.example")
        assert away.headers["location"] == "/calls"
        assert (await browser.get("/language/xx")).status_code == 404


async def test_the_language_can_be_changed_on_every_page(house: House) -> None:
    async with house.logged_in() as browser:
        pages = [
            await browser.get("/calls?number=5"),
            await browser.get("/nothing"),
            await browser.submit("/storage/test"),
            await browser.post("/login", data={"name": "x"}),
        ]
    links = [re.findall(r'href="(/language/de[^"]*)"', page.text) for page in pages]
    assert links == [
        ["/language/de?next=%2Fcalls%3Fnumber%3D5"],
        ["/language/de?next=%2Fnothing"],
        ["/language/de?next=%2Fstorage"],
        ["/language/de?next=%2Flogin"],
    ]


async def test_failures_are_told_to_people_and_to_programs(house: House) -> None:
    async with house.logged_in() as browser:
        page = await browser.get("/nothing", headers={"Accept-Language": "de"})
        assert page.status_code == 404
        assert "Das gibt es hier nicht." in page.text
        problem = await browser.get("/api/v1/nothing")
        assert problem.headers["content-type"] == "application/problem+json"
        assert json_of(problem) == {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "Not Found",
        }
