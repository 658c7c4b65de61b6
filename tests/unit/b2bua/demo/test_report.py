import json
from pathlib import Path

from b2bua.demo.report import Check, Login, RecordedFile, Report


def report(*, held: bool = True) -> Report:
    lines: list[str] = []
    made = Report(write=lines.append)
    made.step("it begins")
    assert lines == ["  0.0 s  it begins"]
    made.checks.append(Check("a promise", held, "measured"))
    made.row = {"src": "101", "recovered": None}
    made.files.append(RecordedFile(Path("recordings/a.mp3"), 30_000, 10.0))
    made.web = "http://127.0.0.1:8080"
    return made


def test_only_kept_promises_are_a_success() -> None:
    assert report().ok
    assert not report(held=False).ok
    assert not Report(write=print).ok, "nothing was checked"
    broken = report()
    broken.error = "nobody answered"
    assert not broken.ok


def test_the_document_says_everything() -> None:
    values = json.loads(report().document())
    assert values["ok"] is True
    assert values["steps"] == [{"at_s": 0.0, "text": "it begins"}]
    assert values["checks"] == [{"name": "a promise", "held": True, "detail": "measured"}]
    assert values["files"] == [{"path": "recordings/a.mp3", "octets": 30_000, "duration_s": 10.0}]
    assert values["row"]["src"] == "101"
    assert values["web"] == "http://127.0.0.1:8080"
    assert "login" not in values
    kept = report()
    kept.login = Login("demo", "secret")
    assert json.loads(kept.document())["login"] == {"user": "demo", "password": "secret"}


def test_the_summary_is_for_people() -> None:
    text = "\n".join(report().summary())
    assert "ok      a promise  (measured)" in text
    assert "recordings/a.mp3 (30000 octets, 10.0 s)" in text
    assert "Every check held." in text
    assert "--keep" in text
    assert "1 of 1 checks failed." in "\n".join(report(held=False).summary())
    broken = report()
    broken.error = "nobody answered"
    broken.login = Login("demo", "secret")
    text = "\n".join(broken.summary())
    assert "The demo broke off: nobody answered" in text
    assert "user demo, password secret" in text
