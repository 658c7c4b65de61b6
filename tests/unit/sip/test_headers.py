from sip.message import Headers


def test_names_are_compared_without_case_and_in_both_forms() -> None:
    headers = Headers()
    headers.add("v", "one")
    headers.add("VIA", "two")
    headers.add("X-Odd", "three")
    assert headers.getlist("via") == ["one", "two"]
    assert headers["Via"] == headers.get("vIa") == "one"
    assert headers.keys() == ["Via", "X-Odd"]
    assert str(headers) == "Via: one\r\nVia: two\r\nX-Odd: three\r\n\r\n"


def test_missing_headers() -> None:
    headers = Headers()
    assert headers.get("To") is None
    assert headers.get("To", "x") == "x"
    assert headers.getlist("To") == []
    headers.remove("To")
    assert str(headers) == "\r\n"


def test_set_and_remove() -> None:
    headers = Headers()
    headers.set("subject", "a")
    headers.set("s", "b")
    assert headers.getlist("Subject") == ["b"]
    headers.setlist("Route", ["1", "2"])
    assert headers.getlist("route") == ["1", "2"]
    headers.remove("ROUTE")
    assert headers.keys() == ["Subject"]
