"""Whatever form a number is written in, it is read as the same one."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from b2bua.trunks.numbers import Form, NumberPlan

forms = st.sampled_from(get_args(Form))
numbers = st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True)
plans = st.builds(
    NumberPlan,
    country_code=st.from_regex(r"[1-9][0-9]{0,2}", fullmatch=True),
    international_prefix=st.sampled_from(["00", "011", "010", "000", "8810", "1"]),
    national_prefix=st.sampled_from(["0", "1", "8", "06", "011"]),
)


@given(plans, numbers, forms.filter(lambda form: form != "unchanged"))
def test_a_number_that_was_written_is_read_as_itself(
    plan: NumberPlan, digits: str, form: Form
) -> None:
    assert plan.read(plan.write(digits, form), bare=form == "e164") == digits


@given(plans, st.text(max_size=40), forms, st.booleans())
def test_any_text_is_rewritten_once_and_for_all(
    plan: NumberPlan,
    text: str,
    form: Form,
    bare: bool,  # noqa: FBT001 - a dimension of the test
) -> None:
    once = plan.rewrite(text, form, bare=bare)
    assert plan.rewrite(once, form, bare=bare or form == "e164") == once


@given(plans, numbers, forms, forms)
def test_all_spellings_are_the_same_number(
    plan: NumberPlan, digits: str, first: Form, second: Form
) -> None:
    spellings = [plan.rewrite(f"+{digits}", form) for form in (first, second)]
    assert plan.same(spellings[0], bare=True) == plan.same(spellings[1], bare=True) == digits
