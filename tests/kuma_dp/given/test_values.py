"""Values of `--dataplane-var`."""

from __future__ import annotations

import pytest

from kuma_dp.given import values


def test_pairs_come_one_by_one_or_with_commas_and_the_last_counts() -> None:
    given = ["name=web-1,address=10.0.0.1", "port=8080", "name=web-2"]

    assert values.pairs(given) == {"name": "web-2", "address": "10.0.0.1", "port": "8080"}


def test_a_value_with_a_comma_stands_in_quotes_and_one_with_an_equals_sign_stays() -> None:
    assert values.pairs(['"list=a,b"', "query=a=b", "empty="]) == {
        "list": "a,b",
        "query": "a=b",
        "empty": "",
    }


@pytest.mark.parametrize("value", ["a,b", "a\nb", "a,b,c", "x" * 200_000])
def test_a_value_that_stands_alone_needs_no_quotes(value: str) -> None:
    assert values.pairs([f"list={value}", f'"quoted={value}"']) == {"list": value, "quoted": value}


def test_a_line_break_outside_of_quotes_is_refused_where_there_are_several() -> None:
    assert values.pairs(['a=1,"b=2\n3"']) == {"a": "1", "b": "2\n3"}
    with pytest.raises(ValueError, match="has a line break"):
        values.pairs(["a=1,b=2\n3"])


@pytest.mark.parametrize("given", ["name", "=value", "a=1,b=2,c", "a=1,=b"])
def test_what_is_no_pair_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="not of the form name=value"):
        values.pairs([given])
