"""Times: RFC 3339 with any offset in, one fixed form out; the fast column and the slow text agree."""

from datetime import UTC, datetime

import numpy as np
import pytest

from stream import times


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01t12:00:00z", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01 12:00:00Z", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01T12:00:00-00:00", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01T12:00:00+05:45", "2026-03-01T06:15:00+00:00"),
        ("2026-03-01T00:30:00+23:59", "2026-02-28T00:31:00+00:00"),
        ("2024-02-29T23:59:59.999999-08:00", "2024-03-01T07:59:59.999999+00:00"),
        ("2026-03-01T12:00:00.1Z", "2026-03-01T12:00:00.100000+00:00"),
        ("2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00.123456+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("1999-12-31T23:00:00-01:00", "2000-01-01T00:00:00+00:00"),
    ],
)
def test_a_time_with_any_offset_is_read(text: str, like: str) -> None:
    expected = datetime.fromisoformat(like).astimezone(UTC)
    assert times.parse(text) == round(expected.replace(microsecond=0).timestamp()) * 1_000_000 + expected.microsecond
    assert times.parse_column([text]).tolist() == [times.parse(text)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-03-01",
        "2026-03-01T12:00Z",
        "2026-03-01T12:00:00",
        "2026-3-1T12:00:00Z",
        "2026-03-01T12:00:00+0100",
        "2026-03-01T12:00:00+24:00",
        "2026-03-01T12:00:00+01:60",
        "2026-03-01T24:00:00Z",
        "2026-03-01T12:60:00Z",
        "2026-03-01T12:00:61Z",
        "2026-13-01T12:00:00Z",
        "2026-02-29T12:00:00Z",
        "2026-03-01T12:00:00.Z",
        "2026-03-01T12:00:00Z\n",
        "٢٠٢٦-03-01T12:00:00Z",
        "0000-00-00T00:00:00Z",
        "1999-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "1741569952",
        "+026-03-01T12:00:00Z",
        "2026-03-01T 2:00:00Z",
    ],
)
def test_what_is_no_sensible_time_is_refused_alone_and_in_a_column(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        times.parse(text)
    for column in ([text], ["2026-03-01T12:00:00Z", text], [text, text]):
        with pytest.raises(ValueError, match="time"):
            times.parse_column(column)


def test_a_message_never_quotes_the_text() -> None:
    with pytest.raises(ValueError, match="time") as caught:
        times.parse("a secret")
    assert "secret" not in str(caught.value)


def test_a_column_may_mix_forms() -> None:
    texts = ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.5Z", "2026-03-01T13:00:00+01:00"]
    assert times.parse_column(texts).tolist() == [times.parse(text) for text in texts]


def test_texts_whose_ends_only_fit_when_joined_are_refused() -> None:
    whole = "2026-03-01T12:00:00Z"
    with pytest.raises(ValueError, match="time"):
        times.parse_column([whole + whole[0], whole[1:]])


def test_an_empty_column_is_empty() -> None:
    assert times.parse_column([]).tolist() == []
    assert times.render_column(np.array([], np.int64)) == []


def test_times_are_written_with_six_digits_so_that_texts_sort_as_times() -> None:
    instants = np.array([times.EARLIEST, 1_741_569_952_000_000, 1_741_569_952_000_001, times.LATEST - 1])
    texts = times.render_column(instants)
    assert texts == [times.render(int(instant)) for instant in instants]
    assert texts == sorted(texts)
    assert texts[0] == "2000-01-01T00:00:00.000000Z"
    assert texts[-1] == "2099-12-31T23:59:59.999999Z"
