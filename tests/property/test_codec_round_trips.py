"""What is written is read back as it was, and writing it again gives the same bytes."""

from dataclasses import replace

import numpy as np
from hypothesis import given

from stream.codec.alert import decode_alert, encode_alert
from stream.codec.control import decode_order, encode_order
from stream.codec.dead_letter import decode_dead_letter, encode_dead_letter
from stream.codec.drift import decode_drift, encode_drift
from stream.codec.rows import encode_scored_rows
from stream.codec.scored import decode_scored, encode_scored
from stream.core.control import Order
from stream.core.events import AlertEvent, DriftEvent
from stream.core.records import DeadLetter, Scored, Source
from stream.core.taxonomy import PAPER
from stream.formats.labelled import decode_labelled_rows
from tests.property import strategies


@given(strategies.DRIFT)
def test_a_drift_event_survives(event: DriftEvent) -> None:
    assert decode_drift(encode_drift(event)) == event


@given(strategies.ALERT)
def test_an_alert_survives(event: AlertEvent) -> None:
    assert decode_alert(encode_alert(event)) == event


@given(strategies.ORDER)
def test_an_order_survives(order: Order) -> None:
    assert decode_order(encode_order(order), source=order.source, offset=order.offset) == order


@given(strategies.DEAD_LETTER)
def test_a_dead_letter_survives_byte_for_byte(letter: DeadLetter) -> None:
    assert decode_dead_letter(encode_dead_letter(letter)) == letter


@given(strategies.scored_records())
def test_a_scored_record_survives_to_four_decimals(scored: Scored) -> None:
    written = encode_scored(scored, PAPER)
    back = decode_scored(written, PAPER)
    for name in ("monitor", "classifier", "source", "event_id", "finish_reason", "attributes"):
        assert getattr(back, name) == getattr(scored, name)
    for name in ("offset", "ts", "category", "truncated"):
        column, original = getattr(back, name), getattr(scored, name)
        assert (column is None) == (original is None)
        if original is not None:
            assert column.dtype == original.dtype
            assert column.tolist() == original.tolist()
    for name in ("probs", "confidence", "energy"):
        column, original = getattr(back, name), getattr(scored, name)
        assert (column is None) == (original is None)
        if original is not None:
            assert (column.dtype, column.shape) == (np.float32, original.shape)
            assert np.abs(column.astype(float) - original.astype(float)).max(initial=0) <= 0.5e-4 + 1e-5
    assert encode_scored(back, PAPER) == written


@given(strategies.scored_records())
def test_rows_of_a_file_say_what_the_record_says(scored: Scored) -> None:
    named = replace(scored, monitor="m", event_id=tuple(f"{at} {text}" for at, text in enumerate(scored.event_id)))
    rows = decode_labelled_rows(encode_scored_rows(named, PAPER), PAPER, source=Source("f", 0))
    assert (rows.n, rows.rejects) == (len(scored), ())
    assert len(rows.scored) == (len(scored) > 0)
    for back in rows.scored:
        assert (back.monitor, back.event_id) == ("m", named.event_id)
        assert (back.ts.tolist(), back.category.tolist()) == (scored.ts.tolist(), scored.category.tolist())
        assert back.offset.tolist() == list(range(len(scored)))
