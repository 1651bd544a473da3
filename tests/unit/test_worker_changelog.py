"""States in the changelog: whatever arrives late, and whoever wrote it, recovery finds the one that has read furthest."""

import random

from stream.worker.changelog import Ledger, Stored

M = b"m"
Log = list[tuple[bytes, bytes | None]]


def stored(position: int) -> Stored:
    return Stored(partition=0, position=position, state=b"state %d" % position)


def compacted(log: Log) -> Log:
    """What Kafka keeps at the least: the last record of each key, in their order, and no tombstones."""
    last = {key: place for place, (key, _) in enumerate(log)}
    return [(key, value) for place, (key, value) in enumerate(log) if last[key] == place and value is not None]


def recovered(log: Log) -> dict[bytes, bytes]:
    ledger, states = Ledger(), {}
    for key, value in log:
        entry = ledger.take(key, value)
        if entry is not None and entry.state is not None:
            states[entry.monitor] = entry.state
    return states


class Writer:
    """A worker, as far as the changelog sees it; what it sends is in `log` when the test says so."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.ledger = Ledger()
        for key, value in log:
            self.ledger.take(key, value)
        self.ledger.turn((M,))

    def prepare(self, position: int) -> Log:
        """The records of a write that is under way."""
        self.ledger.hold(M, position)
        state = self.ledger.write(M, stored(position))
        return [state, *((key, None) for key in self.ledger.give_up(M, stored(position)))]

    def write(self, position: int) -> None:
        self.log += self.prepare(position)


def test_a_state_that_arrives_after_a_newer_one_of_the_new_owner_changes_nothing() -> None:
    log: Log = []
    old = Writer(log)
    old.write(5)
    late = old.prepare(7)
    new = Writer(log)
    new.write(9)
    log += late
    assert recovered(log) == recovered(compacted(log)) == {M: b"state 9"}


def test_giving_up_the_old_owners_key_late_does_not_remove_what_that_worker_writes_as_owner_again() -> None:
    log: Log = []
    first = Writer(log)
    first.write(5)
    state, give_up = Writer(log).prepare(6)
    log.append(state)
    for key, value in log:
        first.ledger.take(key, value)
    first.ledger.turn((M,))
    first.write(8)
    log.append(give_up)
    assert recovered(compacted(log)) == {M: b"state 8"}


def test_a_write_that_is_under_way_while_a_newer_state_is_read_back_does_not_give_that_one_up() -> None:
    log: Log = []
    old = Writer(log)
    old.write(5)
    old.ledger.hold(M, 7)
    Writer(log).write(9)
    for key, value in log:
        old.ledger.take(key, value)
    log.append(old.ledger.write(M, stored(7)))
    log += [(key, None) for key in old.ledger.give_up(M, stored(7))]
    assert recovered(compacted(log)) == {M: b"state 9"}


def test_what_is_read_again_does_not_set_a_state_back() -> None:
    ledger = Ledger()
    assert [ledger.hold(M, position) for position in (5, 9, 6, 10)] == [5, 9, 9, 10]


def test_a_monitor_stands_under_one_key_once_its_owner_has_written_it() -> None:
    log: Log = []
    for position in range(5):
        Writer(log).write(position)
    assert len(compacted(log)) == 1


def test_a_state_from_before_keys_had_writers_is_taken_over_and_given_up() -> None:
    log: Log = [(M, b"\x01\x00 old state")]
    assert recovered(log) == {M: b"\x01\x00 old state"}
    Writer(log).write(0)
    assert recovered(compacted(log)) == {M: b"state 0"}
    assert len(compacted(log)) == 1


def test_states_that_came_late_from_others_are_counted_and_own_ones_that_are_read_back_are_not() -> None:
    log: Log = []
    old, ledger = Writer(log), Ledger()
    late = old.prepare(7)
    Writer(log).write(9)
    for position in (3, 4):
        ledger.hold(M, 10)
        log.append(ledger.write(M, stored(position)))
    for key, value in log + late[:1]:
        ledger.take(key, value)
    assert ledger.passed_over == 2


def test_in_any_order_of_owners_late_writes_and_compaction_the_furthest_durable_state_is_found() -> None:
    for seed in range(300):
        chance, log, workers, late, furthest = random.Random(seed), Log(), list[Writer](), Log(), -1
        for position in range(12):
            if not workers or chance.random() < 0.4:
                workers.append(Writer(log))
            elif len(workers) > 1 and chance.random() < 0.3:
                late += chance.choice(workers[:-1]).prepare(position - chance.randint(1, 3))
            workers[-1].write(position)
            furthest = position
            if late and chance.random() < 0.5:
                log.append(late.pop(0))
            if chance.random() < 0.3:
                log[:] = compacted(log)
        assert recovered(compacted(log + late)) == {M: b"state %d" % furthest}, seed
