"""The dial plan: who reaches what, and that no text of a caller reaches a trunk uninvited."""

from itertools import product

import pytest

from b2bua.config import parse
from b2bua.directory import Directory
from b2bua.routing import DialPlan, NoRoute, ToExtension, ToGroup, ToPickup, ToRecordKey, ToTrunk
from b2bua.trunks.trunk import Trunks
from tests.unit.b2bua.calls.call_rig import extension

TOML = """
[[trunk]]
name = "first"
address = "203.0.113.1"
dids = { "4930123450" = "101", "+4930123451" = "102", "555" = "999" }
[[trunk]]
name = "second"
address = "203.0.113.2"
[[route]]
pattern = "00Z."
trunk = "second"
strip = 2
prepend = "+"
extensions = ["102"]
[[route]]
pattern = "0Z."
trunk = "first"
strip = 1
[[route]]
pattern = "0800."
trunk = "second"
[[route]]
pattern = "1XX"
trunk = "first"
[[route]]
pattern = "88"
trunk = "first"
strip = 2
"""

DIALLING = extension("101")


def plan(toml: str = TOML) -> DialPlan:
    config, directory = parse(toml, "test"), Directory()
    for number in ("101", "102", "0301", "112"):
        directory._by_number[number] = extension(number)
    return DialPlan(config, directory, Trunks(config.trunk))


def reached(dialled: str, caller: str = "101", toml: str = TOML) -> str:
    """Where an extension gets with a number, in short."""
    match plan(toml).from_extension(dialled, extension(caller)):
        case ToExtension(found):
            return f"extension {found.number}"
        case ToPickup(found):
            return f"pickup at {found.number}"
        case ToGroup():
            return "group"
        case ToTrunk() as trunk:
            names = "+".join(each.name for each in trunk.trunks)
            words = ["EMERGENCY"] * trunk.emergency + ["anonymous"] * trunk.withheld
            return " ".join((*words, names, trunk.number))
        case ToRecordKey():
            return "record key"
        case NoRoute(code):
            return str(code)


# --- emergency


@pytest.mark.parametrize(
    ("exit_digits", "number", "caller"),
    list(product(["", "0"], ["110", "112"], ["101", "102", "777"])),
)
def test_emergency_goes_before_everything(exit_digits: str, number: str, caller: str) -> None:
    """There is an extension 112, and rules fit 110, 112 and 0112: none of them counts."""
    assert reached(exit_digits + number, caller) == f"EMERGENCY first+second {number}"


@pytest.mark.parametrize("number", ["1120", "1100", "00112", "11", "+112", "112#", "*112", "0 112"])
def test_what_is_no_emergency_number_is_none(number: str) -> None:
    assert "EMERGENCY" not in reached(number)


def test_the_operator_names_numbers_exit_digits_and_trunk() -> None:
    toml = '[emergency]\nnumbers = ["911"]\nexit_digits = ["9", "#"]\ntrunk = "second"\n' + TOML
    for dialled in ("911", "9911", "#911"):
        assert reached(dialled, toml=toml) == "EMERGENCY second 911"
    assert reached("0112", toml=toml) == "first 112", "only an outside number here"


def test_without_a_trunk_there_is_nobody_to_help() -> None:
    assert reached("112", toml="") == reached("0110", toml="") == "404"


def test_several_trunks_for_emergencies_have_an_order() -> None:
    toml = '[emergency]\ntrunk = ["second", "first"]\n' + TOML
    assert reached("112", toml=toml) == "EMERGENCY second+first 112"


# --- several trunks, and no name


def test_a_rule_may_name_several_trunks() -> None:
    toml = TOML.replace('trunk = "first"', 'trunk = ["second", "first"]', 1)
    assert toml != TOML
    assert reached("0800123", toml=toml) == "second+first 800123"


@pytest.mark.parametrize(
    ("dialled", "where"),
    [
        ("*31#0800123", "anonymous first 800123"),
        ("*31#112", "EMERGENCY first+second 112"),
        ("*31#0112", "EMERGENCY first+second 112"),
        ("*31#102", "extension 102"),
        ("*31#", "404"),
        ("*31#*1", "record key"),
        ("*31", "404"),
    ],
)
def test_the_code_before_a_number_withholds_who_calls(dialled: str, where: str) -> None:
    assert reached(dialled) == where


def test_the_code_is_the_configured_one_or_none() -> None:
    toml = '[codes]\nwithhold_number = "*67*"\n' + TOML
    assert reached("*67*0800123", toml=toml) == "anonymous first 800123"
    assert reached("*31#0800123", toml='[codes]\nwithhold_number = ""\n' + TOML) == "404"


@pytest.mark.parametrize(
    ("dialled", "where"),
    [
        ("*8102", "pickup at 102"),
        ("*80301", "pickup at 0301"),
        ("*8", "404"),
        ("*8999", "404"),
        ("*8*1", "404"),
        ("*80800123", "404"),
        ("*8112", "pickup at 112"),
    ],
)
def test_the_code_of_pickup_is_for_own_numbers(dialled: str, where: str) -> None:
    assert reached(dialled) == where
    assert plan().forwarded(dialled, DIALLING) is None


# --- the order


def test_the_order_is_star_code_extension_rule() -> None:
    assert reached("*1") == "record key"
    assert reached("102") == "extension 102", "not the rule 1XX"
    assert reached("0301") == "extension 0301", "not the rule 0Z."
    assert reached("103") == "first 103"
    assert reached("*2") == reached("200") == "404"


def test_the_star_code_is_the_configured_one() -> None:
    toml = '[codes]\nrecord = "*44"\n' + TOML
    assert reached("*44", toml=toml) == "record key"
    assert reached("*1", toml=toml) == "404"


def test_the_first_rule_for_the_caller_counts() -> None:
    assert reached("0041445551234", "102") == "second +41445551234"
    assert reached("0041445551234", "101") == "403", "a rule is there, but not for 101"
    assert reached("0800123") == "first 800123", "0Z. stands first"


def test_a_rule_that_leaves_nothing_to_dial_reaches_nobody() -> None:
    assert reached("88") == "404"


@pytest.mark.parametrize("number", ["", "1" * 33, "0" + "1" * 32, "9" * 500])
def test_numbers_have_a_length(number: str) -> None:
    assert reached(number) == "404"


def test_the_longest_number_passes() -> None:
    assert reached("0" + "1" * 31) == "first " + "1" * 31


def test_a_number_that_is_none_of_ours_may_be_somebodys() -> None:
    toml = TOML.replace("dids = {", 'otherwise = "102"\ndids = {', 1)
    (first, *_) = Trunks(parse(toml, "test").trunk)
    for dialled, number in (("4930999", "102"), ("4930123450", "101"), ("", "102")):
        found = plan(toml).from_trunk(dialled, first)
        assert isinstance(found, ToExtension)
        assert found.extension.number == number


# --- groups

GROUP = """
[[group]]
number = "600"
members = ["102", "999", "101"]
ring = "in_turn"
otherwise = "601"
[[group]]
number = "0301"
members = ["101"]
"""


def test_a_group_is_a_number_of_ours_whose_members_exist() -> None:
    found = plan(TOML + GROUP).from_extension("600", DIALLING)
    assert isinstance(found, ToGroup)
    assert [member.number for member in found.members] == ["102", "101"]
    assert (found.in_turn, found.turn_s, found.otherwise) == (True, 15, "601")


def test_who_is_named_in_a_group_and_does_not_exist_is_told() -> None:
    assert plan(TOML + GROUP).strangers() == [("600", "999"), ("600", "601")]
    both = GROUP.replace('"601"', '"0301"').replace('"102", "999", ', "")
    assert plan(TOML + both).strangers() == []


def test_an_extension_goes_before_a_group_of_its_number() -> None:
    assert reached("0301", toml=TOML + GROUP) == "extension 0301"


def test_a_trunk_reaches_groups_by_their_did_too() -> None:
    toml = TOML.replace('"555" = "999"', '"555" = "600"') + GROUP
    trunk = Trunks(parse(toml, "test").trunk).named("first")
    assert trunk is not None
    assert isinstance(plan(toml).from_trunk("555", trunk), ToGroup)


@pytest.mark.parametrize("target", ["112", "0110", "*1", "99999", "00491"])
def test_calls_are_not_forwarded_where_the_extension_could_not_call(target: str) -> None:
    assert plan().forwarded(target, extension("101")) is None


# --- from a trunk


def incoming(dialled: str) -> str:
    dial_plan = plan()
    trunk = Trunks(parse(TOML, "test").trunk).named("first")
    assert trunk is not None
    found = dial_plan.from_trunk(dialled, trunk)
    if isinstance(found, NoRoute):
        return str(found.code)
    return found.extension.number if isinstance(found, ToExtension) else f"group {found.number}"


@pytest.mark.parametrize(
    ("dialled", "reaches"),
    [
        ("4930123450", "101"),
        ("+4930123450", "101"),
        ("+4930123451", "102"),
        ("4930123451", "102"),
        ("101", "101"),
        ("555", "404"),
        ("", "404"),
        ("*1", "404"),
        ("112", "112"),
    ],
)
def test_a_trunk_reaches_its_numbers_and_extensions(dialled: str, reaches: str) -> None:
    assert incoming(dialled) == reaches


@pytest.mark.parametrize(
    "dialled",
    ["0301234567", "0041445551234", "110", "0112", "103", "+41445551234", "88", "0800123"],
)
def test_nothing_that_comes_in_goes_out_again(dialled: str) -> None:
    assert incoming(dialled) == "404"


# --- toll fraud: what scanners and hijacked phones dial

FRAUD = [
    "00972595301234",
    "000972595301234",
    "0000972595301234",
    "900972595301234",
    "9011972595301234",
    "011972595301234x",
    "+972595301234",
    "++972595301234",
    "972595301234",
    "00441224928123",
    "810442079460123",
    "*900972595301234",
    "#00972595301234",
    "**0301234",
    "*21*0301234#",
    "0301234#",
    "0301234*",
    "030 1234",
    "030-1234",
    "030.1234",
    "(030)1234",
    "tel:0301234",
    "sip:0301234",
    "0301234;phone-context=+49",
    "0301234@203.0.113.9",
    "0301234&0041445551234",
    "0301234\r\nRoute: <sip:x>",
    "0301234\n",
    "\n0301234",
    "0301234\x00",
    "0301234%00",
    "0%33",
    "0\u0663\u0660\u0661",
    "\uff10301234",
    "03O1234",
    "0x1e240",
    "0Z.",
    "0[0-9]",
    ".",
    "X.",
    "_0Z.",
    "0" * 32,
    "0" + "3" * 40,
    "-0301234",
    "0'; DROP TABLE calls;--",
    "${EXTEN}",
]


def test_there_are_enough_of_them() -> None:
    assert len(FRAUD) >= 40


@pytest.mark.parametrize("dialled", FRAUD)
def test_toll_fraud_reaches_no_trunk(dialled: str) -> None:
    assert reached(dialled) in {"403", "404"}
    assert incoming(dialled) == "404"
