"""The moment feed: every decided candidate, sent or not, with its trace. Plain SQL, sync."""
# ruff: noqa: S608 (only names of our own columns are put into statements; values are bound)

import sqlite3
from collections.abc import Sequence

import msgspec

from engine.model.moment import Moment
from engine.ports import MomentQuery, StoredMoment
from engine.store import outbox

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Moment).decode


def insert(sql: sqlite3.Connection, moments: Sequence[Moment]) -> list[int]:
    """The ``seq`` of each; one whose id exists is left as it is and answered with the ``seq`` it has."""
    seqs = []
    for m in moments:
        made = sql.execute(
            "INSERT INTO moments (id, rule, person, device, decision, at, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO NOTHING",
            (m.id, m.rule, m.person, m.device, m.decision.verdict.value, m.at, _encode(m)),
        )
        seq = made.lastrowid if made.rowcount == 1 else None
        if seq is None:
            (seq,) = sql.execute("SELECT seq FROM moments WHERE id = ?", (m.id,)).fetchone()
        seqs.append(seq)
    return seqs


def query(sql: sqlite3.Connection, wanted: MomentQuery) -> list[StoredMoment]:
    """Newest first."""
    terms = {
        "decision = ?": wanted.decision,
        "rule = ?": wanted.rule,
        "person = ?": wanted.person,
        "device = ?": wanted.device,
        "at >= ?": wanted.since,
        "seq < ?": wanted.before,
    }
    given = {term: value for term, value in terms.items() if value is not None}
    where = f" WHERE {' AND '.join(given)}" if given else ""
    found = sql.execute(
        f"SELECT seq, body FROM moments{where} ORDER BY seq DESC LIMIT ?", (*given.values(), max(0, wanted.limit))
    ).fetchall()
    return _stored(sql, found)


def one(sql: sqlite3.Connection, id: str) -> StoredMoment | None:
    """One moment with its rows."""
    found = _stored(sql, sql.execute("SELECT seq, body FROM moments WHERE id = ?", (id,)).fetchall())
    return found[0] if found else None


def forget(sql: sqlite3.Connection, before: float, limit: int) -> int:
    """Remove at most ``limit`` of the moments older than ``before``, and their rows; how many went.

    One that has a row still waiting or sending stays until that is settled.
    """
    gone = sql.execute(
        "SELECT id FROM moments WHERE at < ? AND NOT EXISTS (SELECT 1 FROM outbox WHERE moment = moments.id"
        " AND status IN ('waiting', 'sending')) ORDER BY at LIMIT ?",
        (before, limit),
    ).fetchall()
    sql.executemany("DELETE FROM outbox WHERE moment = ?", gone)
    sql.executemany("DELETE FROM moments WHERE id = ?", gone)
    return len(gone)


def _stored(sql: sqlite3.Connection, found: list[tuple[int, bytes]]) -> list[StoredMoment]:
    decoded = [(seq, _decode(body)) for seq, body in found]
    rows = outbox.of_moments(sql, [moment.id for _, moment in decoded])
    return [StoredMoment(seq, moment, tuple(rows[moment.id])) for seq, moment in decoded]
