"""Numbers as text: at any size, with the digits that matter, and in words."""

import math

import pytest

from gradlab.words.numbers import counted, every, listed, number, plain, rounded, signed, up_to_one


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.001, "0.001"), (0.00099, "9.9 × 10⁻⁴"), (1.0, "1"), (9.94, "9.9"), (99.4, "99"), (99.6, "100"),
        (104.0, "104"),
        (9999.0, "9,999"), (10000.0, "1.0 × 10⁴"), (12345.0, "1.2 × 10⁴"), (9.96e-5, "1.0 × 10⁻⁴"),
        (9.94e-5, "9.9 × 10⁻⁵"),
    ],
)  # fmt: skip
def test_a_number_is_written_out_from_a_thousandth_to_ten_thousand(value, written):
    assert number(math.log10(value)).replace("\u00a0", " ") == written


def test_what_is_no_number_is_named():
    assert [number(value) for value in (-math.inf, math.inf, math.nan)] == ["exactly 0", "infinite", "not finite"]
    assert number(-1300.4).replace("\u00a0", " ") == "4.0 × 10⁻¹³⁰¹"
    assert plain(f"{number(-1300.4)} and {number(7.2)}") == "4.0e-1301 and 1.6e+7"


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (0.9994, 3, "0.999"), (0.9996, 3, "1 − 4.0 × 10⁻⁴"), (0.99947, 3, "0.999"),
        (0.99951, 3, "1 − 4.9 × 10⁻⁴"), (0.994, 2, "0.99"), (0.9951, 2, "1 − 0.0049"),
        (1.0, 3, "1.000"),
        (-0.9951, 2, "−(1 − 0.0049)"), (-1.0, 2, "−1.00"), (0.0, 2, "0.00"),
    ],
)  # fmt: skip
def test_what_is_below_one_is_not_written_as_one(value, digits, written):
    assert up_to_one(value, digits).replace("\u00a0", " ") == written


def test_three_digits_and_no_e_notation():
    assert [rounded(value) for value in (0.0, 0.001, 0.0123, 9.876, math.inf)] == [
        "0",
        "0.001",
        "0.0123",
        "9.88",
        "inf",
    ]
    assert [rounded(value) for value in (999.4, 999.6, 1234.0, 9999.0)] == ["999", "1,000", "1,234", "9,999"]
    assert rounded(10000.0).replace("\u00a0", " ") == "1.0 × 10⁴"
    assert rounded(0.00099).replace("\u00a0", " ") == "9.9 × 10⁻⁴"


def test_a_sign_stands_before_the_digits_and_nothing_is_above_nothing():
    assert [signed(value) for value in (9.4, -28.2, 0.0, -0.001, 789.4)] == ["+9.4", "−28.2", "+0", "−0.001", "+789"]
    assert signed(-12345.0) == "−" + rounded(12345.0)


def test_counts_and_lists_follow_grammar():
    assert [counted(n, "step") for n in (0, 1, 2)] == ["0 steps", "1 step", "2 steps"]
    assert [counted(float(n), "step") for n in (999_999, 1_000_000, 9_999_999)] == [
        "999999 steps", "1000000 steps", "9999999 steps",
    ]  # fmt: skip
    assert [counted(n, "step") for n in (2.5, "1", "74 to 79")] == ["2.5 steps", "1 step", "74 to 79 steps"]
    assert counted(1e7, "step").replace("\u00a0", " ") == "1.0 × 10⁷ steps"
    assert [every(n, "step") for n in (1, 3)] == ["every step", "every 3 steps"]
    assert [listed(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
