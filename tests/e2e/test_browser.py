"""The pages in a real browser: log in, set a mode, and hear calls while and after they are made."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.calls import call, end
from tests.support import audio
from tests.support.chromium import Browser, chromium
from tests.support.pages import PASSWORD, add_user, address
from tests.support.phones.baresip import baresip
from tests.support.phones.phone import talk
from tests.support.server import WITH_PAGES, Server, server

BOTH_RECORDED = (("101", "automatic", True), ("102", "automatic", True), ("103", "off", False))
CALLER_HZ = 440.0
CALLEE_HZ = 620.0
TALK_S = 5.0

LOUDNESS = """
const audio = document.getElementById("audio");
const stream = audio.captureStream();
while (!stream.getAudioTracks().length) await new Promise(resolve => setTimeout(resolve, 50));
const context = new AudioContext();
await context.resume();
const meter = context.createAnalyser();
meter.fftSize = 16384;
context.createMediaStreamSource(stream).connect(meter);
const samples = new Float32Array(meter.fftSize);
const bins = new Float32Array(meter.frequencyBinCount);
for (let turn = 0; turn < 100; turn += 1) {
  await new Promise(resolve => setTimeout(resolve, 50));
  meter.getFloatTimeDomainData(samples);
  const rms = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
  if (rms > 0.01) {
    // Until the meter holds nothing but sound.
    await new Promise(resolve => setTimeout(resolve, 500));
    meter.getFloatFrequencyData(bins);
    const hz = bin => bin * context.sampleRate / meter.fftSize;
    const order = [...bins.keys()].sort((a, b) => bins[b] - bins[a]);
    await context.close();
    return { rms, hz: order.slice(0, 6).map(hz), at: audio.currentTime };
  }
}
return "silence";
"""
"What the player really plays: how loud, and its strongest frequencies."

SEEK = """
const audio = document.getElementById("audio");
audio.currentTime = 3;
await new Promise(resolve => audio.addEventListener("seeked", resolve, { once: true }));
return { at: audio.currentTime, whole: audio.duration, seekable: audio.seekable.end(0) };
"""


BAR = """
const audio = document.getElementById("audio");
return { at: audio.currentTime, length: audio.duration, error: audio.error && audio.error.message };
"""


@contextlib.asynccontextmanager
async def standing_call(under_test: Server) -> AsyncIterator[None]:
    """Two telephones in a call, each with its own tone; it ends with this."""
    async with (
        baresip(under_test.setup("101", audio.tone(CALLER_HZ, 60.0))) as alice,
        baresip(under_test.setup("102", audio.tone(CALLEE_HZ, 60.0))) as bob,
    ):
        await call(alice, bob)
        yield
        await end(alice, bob)


@pytest.mark.peer("baresip", "chromium", "chromedriver", "ffmpeg")
async def test_a_call_is_heard_in_the_browser(tmp_path: Path) -> None:
    async with server(WITH_PAGES, extensions=BOTH_RECORDED) as under_test:
        async with standing_call(under_test):
            await talk(TALK_S)
        file = under_test.recording(await under_test.the_call())
        await add_user(under_test, "ada")
        url = await address(under_test)
        await asyncio.to_thread(use_the_pages, tmp_path, url, file)
        rows = {row["number"]: row for row in await under_test.rows("ext", "list")}
        assert (rows["103"]["mode"], rows["103"]["opt_in_by"]) == ("manual", "web:ada")
        await under_test.stop()


@pytest.mark.peer("baresip", "chromium", "chromedriver", "ffmpeg")
async def test_a_call_is_heard_in_the_browser_while_it_runs(tmp_path: Path) -> None:
    async with server(WITH_PAGES, extensions=BOTH_RECORDED) as under_test:
        await add_user(under_test, "ada")
        url = await address(under_test)
        with contextlib.ExitStack() as stack:
            browser = await asyncio.to_thread(stack.enter_context, chromium(tmp_path))
            await asyncio.to_thread(log_in, browser, url)
            async with standing_call(under_test):
                await asyncio.to_thread(hear_from_the_first_second, browser, url)
                await talk(TALK_S)
                await asyncio.to_thread(hear_what_is_said_now, browser, url)
            file = under_test.recording(await under_test.the_call())
            await asyncio.to_thread(hear_all_of_it_afterwards, browser, file)
        await under_test.stop()


def press_live(browser: Browser, url: str) -> None:
    """Load the page until the recording is on it, which begins shortly after the call."""

    def is_there() -> bool:
        browser.open(f"{url}/calls")
        return browser.count("a.play[data-live]") > 0

    browser.until(is_there, "no recording runs")
    browser.find("a.play[data-live]").click()


def hear_from_the_first_second(browser: Browser, url: str) -> None:
    """Press the loudspeaker as soon as the row is there; mostly there is no file yet."""
    press_live(browser, url)
    assert_both_are_heard(browser.awaited(LOUDNESS))
    # Left to itself the browser waits for 32 KiB, which are eleven seconds.
    assert browser.script(BAR)["length"] < 10, "it waited for more than it needs"


def hear_what_is_said_now(browser: Browser, url: str) -> None:
    """Come later, hear the call as it is now, and go back to its beginning."""
    press_live(browser, url)
    heard = browser.awaited(LOUDNESS)
    assert_both_are_heard(heard)
    assert heard["at"] > TALK_S - 2
    bar = browser.script(BAR)
    assert 0 < bar["length"] - heard["at"] < 5
    browser.until(lambda: browser.script(BAR)["length"] > bar["length"], "it does not go on")
    browser.script("document.getElementById('audio').currentTime = 1;")
    assert_both_are_heard(browser.awaited(LOUDNESS))
    assert browser.script(BAR)["at"] < TALK_S - 1
    browser.script("const audio = document.getElementById('audio'); audio.currentTime = 1e9;")


def hear_all_of_it_afterwards(browser: Browser, file: Path) -> None:
    """The running sound comes to its end; pressed again, the loudspeaker plays the file."""
    browser.until(ended(browser), "it never came to its end")
    length = audio.seconds(audio.decode(file))
    assert abs(browser.script(BAR)["length"] - length) < 0.3
    browser.find("a.play[data-live]").click()
    assert_both_are_heard(browser.awaited(LOUDNESS))
    assert browser.script("return document.getElementById('audio').currentSrc").endswith("/live")
    assert_seeks(browser, length)


def use_the_pages(folder: Path, url: str, file: Path) -> None:
    with chromium(folder) as browser:
        log_in(browser, url)
        set_a_mode(browser, url)
        hear(browser, url, file)
        download(browser, file)


def log_in(browser: Browser, url: str) -> None:
    browser.open(url)
    browser.find("input[name=name]").send_keys("ada")
    browser.find("input[name=password]").send_keys(PASSWORD)
    browser.find("form.stack button").click()
    browser.find(".filter")
    assert browser.find("h1").text == "Gespräche"


def set_a_mode(browser: Browser, url: str) -> None:
    browser.open(f"{url}/extensions")
    browser.find('form[action="/extensions/103/opt-in"] button').click()
    assert "103: gespeichert" in browser.find(".notice.good").text
    form = 'form[action="/extensions/103/mode"]'
    browser.find(f"{form} option[value=manual]").click()
    browser.find(f"{form} button").click()
    browser.until(lambda: browser.count(f"{form} option[value=manual][selected]"), "not set")


def hear(browser: Browser, url: str, file: Path) -> None:
    """Press the loudspeaker, and look at what comes out of the player."""
    browser.open(f"{url}/calls")
    browser.find("a.play").click()
    browser.until(
        lambda: browser.script("return document.getElementById('audio').currentTime") > 0.2,
        "the player stands still",
    )
    assert_both_are_heard(browser.awaited(LOUDNESS))
    assert_seeks(browser, audio.seconds(audio.decode(file)))
    browser.until(ended(browser), "it never came to its end")
    assert browser.count("#player-failed:not([hidden])") == 0


def assert_both_are_heard(heard: Any) -> None:
    assert isinstance(heard, dict), heard
    for hz in (CALLER_HZ, CALLEE_HZ):
        assert any(abs(found - hz) < 8 for found in heard["hz"]), heard


def assert_seeks(browser: Browser, length: float) -> None:
    sought = browser.awaited(SEEK)
    assert isinstance(sought, dict), sought
    assert 3.0 <= sought["at"] < 3.5
    assert abs(sought["whole"] - length) < 0.3
    assert sought["seekable"] == sought["whole"]


def ended(browser: Browser) -> Callable[[], bool]:
    return lambda: bool(browser.script("return document.getElementById('audio').ended"))


def download(browser: Browser, file: Path) -> None:
    browser.find("a.fetch").click()
    saved = browser.saved()
    assert saved.name == file.name
    assert saved.read_bytes() == file.read_bytes()
