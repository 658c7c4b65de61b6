import tomllib

from tests.support.server import _merge
from tests.support.trunk import OUTGOING, trunk_settings


def test_a_trunk_and_its_routes_are_written_as_toml() -> None:
    text = trunk_settings(5080, dids={"49301": "101"}, routes=[OUTGOING], caller_id="49300")
    assert tomllib.loads(text) == {
        "trunk": [
            {
                "name": "provider",
                "address": "127.0.0.1:5080",
                "dids": {"49301": "101"},
                "caller_id": "49300",
            }
        ],
        "route": [{"trunk": "provider", "pattern": "0Z.", "strip": 1}],
    }


def test_without_a_port_the_address_alone_is_the_trunk() -> None:
    (trunk,) = tomllib.loads(trunk_settings(0, host="127.0.0.2"))["trunk"]
    assert trunk["address"] == "127.0.0.2"


def test_settings_are_merged_into_sections_but_tables_of_an_array_stay_apart() -> None:
    base = '[sip]\nlisten = "a"\nrealm = "r"\n[media]\nworkers = 1\n'
    more = (
        trunk_settings(0, host="127.0.0.2", name="one")
        + '[sip]\nlisten = "b"\n'
        + trunk_settings(5080, name="two", routes=[OUTGOING, {"pattern": "X."}])
        + "[media]\nrecorders = 2\n"
    )
    merged = tomllib.loads(_merge(base, more))
    assert merged["sip"] == {"listen": "b", "realm": "r"}
    assert merged["media"] == {"workers": 1, "recorders": 2}
    assert [trunk["name"] for trunk in merged["trunk"]] == ["one", "two"]
    assert [route["pattern"] for route in merged["route"]] == ["0Z.", "X."]


def test_a_later_value_of_the_same_section_wins_wherever_it_stands() -> None:
    assert _merge("[a]\nx = 1\n", "[b]\n[a]\nx = 2\n") == "[a]\nx = 2\n[b]\n"
