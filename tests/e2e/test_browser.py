"""The pages in a real browser: log in, set a mode, and hear a call that was really made."""

import asyncio
from pathlib import Path

import pytest

from tests.e2e.calls import call, end
from tests.support import audio
from tests.support.chromium import Browser, chromium
from tests.support.pages import PASSWORD, add_user, address
from tests.support.phones.baresip import baresip
from tests.support.phones.phone import talk
from tests.support.server import WITH_PAGES, server

BOTH_RECORDED = (("101", "automatic", True), ("102", "automatic", True), ("103", "off", False))
CALLER_HZ = 440.0
CALLEE_HZ = 620.0
TALK_S = 5.0

LOUDNESS = """
const audio = document.getElementById("audio");
const context = new AudioContext();
await context.resume();
const meter = context.createAnalyser();
meter.fftSize = 16384;
context.createMediaStreamSource(audio.captureStream()).connect(meter);
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


@pytest.mark.peer("baresip", "chromium", "chromedriver", "ffmpeg")
async def test_a_call_is_heard_in_the_browser(tmp_path: Path) -> None:
    async with server(WITH_PAGES, extensions=BOTH_RECORDED) as under_test:
        async with (
            baresip(
                under_test.setup(under_test.extension("101"), audio.tone(CALLER_HZ, 30.0))
            ) as alice,
            baresip(
                under_test.setup(under_test.extension("102"), audio.tone(CALLEE_HZ, 30.0))
            ) as bob,
        ):
            await call(alice, bob)
            await talk(TALK_S)
            await end(alice, bob)
        file = under_test.recording(await under_test.the_call())
        await add_user(under_test, "ada")
        url = await address(under_test)
        await asyncio.to_thread(use_the_pages, tmp_path, url, file)
        rows = {row["number"]: row for row in await under_test.rows("ext", "list")}
        assert (rows["103"]["mode"], rows["103"]["opt_in_by"]) == ("manual", "web:ada")
        await under_test.stop()


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
    heard = browser.awaited(LOUDNESS)
    assert isinstance(heard, dict), heard
    for hz in (CALLER_HZ, CALLEE_HZ):
        assert any(abs(found - hz) < 8 for found in heard["hz"]), heard
    length = audio.seconds(audio.decode(file))
    sought = browser.awaited(SEEK)
    assert isinstance(sought, dict), sought
    assert 3.0 <= sought["at"] < 3.5
    assert abs(sought["whole"] - length) < 0.3
    assert sought["seekable"] == sought["whole"]
    browser.until(
        lambda: browser.script("return document.getElementById('audio').ended"),
        "it never came to its end",
    )
    assert browser.count("#player-failed:not([hidden])") == 0


def download(browser: Browser, file: Path) -> None:
    browser.find("a.fetch").click()
    saved = browser.saved()
    assert saved.name == file.name
    assert saved.read_bytes() == file.read_bytes()
