"""Extensions that do what real telephones rarely do, and never on command."""

import pytest

from tests.e2e.scripted import scripted_extension
from tests.support import audio
from tests.support.phones.baresip import baresip
from tests.support.server import server

OFF = (("101", "off", False), ("102", "off", False))
SAYS = audio.tone(440, 10.0)


@pytest.mark.peer("baresip", "sipp")
async def test_an_extension_that_is_busy_at_once() -> None:
    async with (
        server(extensions=OFF) as under_test,
        baresip(under_test.setup("101", SAYS)) as alice,
        scripted_extension(under_test, "102", "uas_busy") as busy,
    ):
        await alice.dial("102")
        assert "486" in await alice.closed()
        await busy.finished()
        row = await under_test.the_call()
        assert (row["disposition"], row["outcome"]) == ("BUSY", "not_connected")


@pytest.mark.peer("baresip", "sipp")
async def test_an_answer_that_crosses_the_cancel_is_ended() -> None:
    async with (
        server(extensions=OFF) as under_test,
        baresip(under_test.setup("101", SAYS)) as alice,
        scripted_extension(under_test, "102", "uas_answers_late") as late,
    ):
        await alice.dial("102")
        await late.saw("180 Ringing")
        await alice.hang_up()
        await alice.closed()
        await late.finished()
        row = await under_test.the_call()
        assert (row["disposition"], row["billsec"]) == ("NO ANSWER", 0)
