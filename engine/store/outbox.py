"""The outbox: rows, their settlement and cancellation, and ``begin_send``, the point of no return. Plain SQL, sync.

Functions that change something are called inside a transaction. They make do with few statements: after each its thread
waits for the interpreter lock, which a busy event loop holds.
"""
# ruff: noqa: S608 (only names of our own columns are put into statements; values are bound)

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, get_args

import msgspec

from engine.model.moment import Cancel, Hold, Notification, OutboxRow, OutboxStatus, Settle
from engine.model.reason import Reason

STATUSES: tuple[str, ...] = get_args(OutboxStatus)
CHUNK = 500  # of ids in one statement

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Notification).decode

_ROW = "body, status, attempts, due, reason, detail"

# A row of a held scope does not begin, whatever its purpose.
_HELD = """EXISTS (SELECT 1 FROM holds WHERE scope = 'all' OR (scope = 'rule' AND id = outbox.rule)
    OR (scope = 'channel' AND id = outbox.channel) OR (scope = 'geofence' AND id = outbox.fence))"""

_INSERT = """INSERT INTO outbox (id, moment, channel, rule, person, device, fence, purpose, at, not_before, deadline,
    expires, status, due, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"""

_SETTLE = "UPDATE outbox SET status = ?, attempts = ?, due = ?, reason = ?, detail = ?"
_NEXT = ", seq = (SELECT value FROM meta WHERE key = 'sent') + ?"
_UNSETTLED = " WHERE id = ? AND status NOT IN ('sent', 'cancelled')"

# Which index finds the fewest rows to look at, by the field that is given. Left alone, SQLite takes all that waits.
_CANCEL_BY = {"moment": "outbox_moment", "person": "outbox_person", "device": "outbox_waiting_device"}

Columns = tuple[bytes, OutboxStatus, int, float, str, str]


def _row(columns: Columns) -> OutboxRow:
    body, status, attempts, due, reason, detail = columns
    return OutboxRow(_decode(body), status, attempts, due, reason, detail)


# ------------------------------------------------------------------ effects


def insert(
    sql: sqlite3.Connection, notifications: Sequence[Notification], ids: Collection[str], now: float
) -> dict[str, OutboxRow]:
    """New waiting rows, due at ``not_before``; those whose id exists are left as they are. New ones of ``ids`` whose
    time it is are ``sending`` from the start, as if ``begin_send`` took them at once; by id."""
    begun: dict[str, OutboxRow] = {}
    for n in notifications:
        begins = n.id in ids and n.not_before <= now < min(n.deadline, n.expires)
        if sql.execute(_INSERT, _columns(n, "sending" if begins else "waiting")).rowcount == 1 and begins:
            begun[n.id] = OutboxRow(n, "sending", due=n.not_before)
    return begun


def _columns(n: Notification, status: OutboxStatus) -> tuple[Any, ...]:
    about = (n.id, n.moment, n.channel, n.rule, n.person, n.device, n.cause.fence, n.purpose, n.cause.at)
    return (*about, n.not_before, n.deadline, n.expires, status, n.not_before, _encode(n))


def unhindered(sql: sqlite3.Connection) -> bool:
    """No switch is on."""
    return sql.execute("SELECT 1 FROM holds LIMIT 1").fetchone() is None


def settle(sql: sqlite3.Connection, settled: Sequence[Settle]) -> None:
    """Rows take their new standing; one that is sent or cancelled keeps it for good. Sent ones get the next ``seq``."""
    sent = 0
    for s in settled:
        new = (s.status, s.attempts, s.due, str(s.reason), s.detail)
        if s.status == "sent":
            sent += sql.execute(f"{_SETTLE}{_NEXT}{_UNSETTLED}", (*new, sent + 1, s.notification)).rowcount
        else:
            sql.execute(f"{_SETTLE}{_UNSETTLED}", (*new, s.notification))
    if sent:
        sql.execute("UPDATE meta SET value = value + ? WHERE key = 'sent'", (sent,))


def cancel(sql: sqlite3.Connection, wanted: Cancel, spared: Sequence[str] = ()) -> None:
    """Waiting rows that fit every given field become cancelled, but for those ``spared``: decided after it."""
    terms, values = ["status = 'waiting'"], []
    for column in ("person", "rule", "channel", "fence", "device", "moment", "purpose"):
        value = getattr(wanted, column)
        if value is not None:
            terms.append(f"{column} = ?")
            values.append(value)
    if wanted.visit_before is not None:
        terms.append("at <= ?")
        values.append(wanted.visit_before)
    if wanted.keep_transactional:
        terms.append("purpose != 'transactional'")
    index = next((index for column, index in _CANCEL_BY.items() if getattr(wanted, column) is not None), "outbox_due")
    where = " AND ".join(terms)
    rows = sql.execute(f"SELECT id FROM outbox INDEXED BY {index} WHERE {where}", values).fetchall()
    keep = frozenset(spared)
    sql.executemany(
        "UPDATE outbox SET status = 'cancelled', reason = ? WHERE id = ?",
        [(wanted.reason.value, id) for (id,) in rows if id not in keep],
    )


def switch(sql: sqlite3.Connection, hold: Hold) -> None:
    """Turn a kill switch on or off. There is one ``all``, whatever its id."""
    id = "" if hold.scope == "all" else hold.id
    if hold.on:
        sql.execute("INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?)", (hold.scope, id, hold.why, hold.by, hold.at))
    else:
        sql.execute("DELETE FROM holds WHERE scope = ? AND id = ?", (hold.scope, id))


# ------------------------------------------------------------------ sending


def due(sql: sqlite3.Connection, now: float, channels: Sequence[str], limit: int) -> list[OutboxRow]:
    """Waiting rows of these channels whose time has come and which no switch holds, soonest first."""
    if not channels:
        return []
    rows = sql.execute(
        f"SELECT {_ROW} FROM outbox INDEXED BY outbox_due WHERE status = 'waiting' AND due <= ?"
        f" AND channel IN ({_marks(channels)}) AND NOT {_HELD} ORDER BY due, n LIMIT ?",
        (now, *channels, max(0, limit)),
    )
    return [_row(columns) for columns in rows]


def next_due(sql: sqlite3.Connection) -> float | None:
    """The soonest due time of a waiting row that no switch holds."""
    found = sql.execute(
        f"SELECT due FROM outbox INDEXED BY outbox_due WHERE status = 'waiting' AND NOT {_HELD} ORDER BY due LIMIT 1"
    ).fetchone()
    return None if found is None else float(found[0])


def begin_send(sql: sqlite3.Connection, ids: Sequence[str], now: float) -> list[OutboxRow]:
    """Take rows from waiting to sending; those out of time become dead, all others refused stay as they are.

    ``attempts`` of the rows returned counts the attempts finished before this one.
    """
    taken: dict[str, OutboxRow] = {}
    for some in _chunks(list(dict.fromkeys(ids))):
        begun = []
        rows = sql.execute(
            f"SELECT id, not_before, deadline, expires, {_HELD}, {_ROW} FROM outbox"
            f" WHERE status = 'waiting' AND id IN ({_marks(some)})",
            some,
        ).fetchall()
        for id, not_before, deadline, expires, held, *columns in rows:
            if now >= min(deadline, expires):
                reason = Reason.QUIET_HOURS if deadline < expires else Reason.EXPIRED
                sql.execute("UPDATE outbox SET status = 'dead', reason = ? WHERE id = ?", (reason.value, id))
            elif not held and now >= not_before:
                begun.append(id)
                taken[id] = msgspec.structs.replace(_row(tuple(columns)), status="sending")
        if begun:
            sql.execute(f"UPDATE outbox SET status = 'sending' WHERE id IN ({_marks(begun)})", begun)
    return [taken[id] for id in dict.fromkeys(ids) if id in taken]


# ------------------------------------------------------------------ looking


def sending(sql: sqlite3.Connection) -> list[OutboxRow]:
    """Rows begun and not settled, oldest first."""
    return [_row(c) for c in sql.execute(f"SELECT {_ROW} FROM outbox WHERE status = 'sending' ORDER BY n")]


def row(sql: sqlite3.Connection, id: str) -> OutboxRow | None:
    """One row."""
    found = sql.execute(f"SELECT {_ROW} FROM outbox WHERE id = ?", (id,)).fetchone()
    return None if found is None else _row(found)


def rows(sql: sqlite3.Connection, status: str | None, person: str | None, limit: int) -> list[OutboxRow]:
    """Newest first."""
    wanted: list[tuple[str, Any]] = [("status", status), ("person", person)]
    given = [(column, value) for column, value in wanted if value is not None]
    where = " WHERE " + " AND ".join(f"{column} = ?" for column, _ in given) if given else ""
    values = [value for _, value in given]
    found = sql.execute(f"SELECT {_ROW} FROM outbox{where} ORDER BY n DESC LIMIT ?", (*values, max(0, limit)))
    return [_row(columns) for columns in found]


def of_moments(sql: sqlite3.Connection, moments: Sequence[str]) -> dict[str, list[OutboxRow]]:
    """The rows of each of these moments, in the order they were made."""
    found: dict[str, list[OutboxRow]] = {id: [] for id in moments}
    for some in _chunks(moments):
        for columns in sql.execute(f"SELECT {_ROW} FROM outbox WHERE moment IN ({_marks(some)}) ORDER BY n", some):
            one = _row(columns)
            found[one.notification.moment].append(one)
    return found


def inbox(sql: sqlite3.Connection, person: str, channel: str, after: int, limit: int) -> list[tuple[int, OutboxRow]]:
    """Sent rows in the order they were sent: a late one has a later ``seq`` than all that a reader has seen."""
    found = sql.execute(
        f"SELECT seq, {_ROW} FROM outbox WHERE person = ? AND channel = ? AND seq IS NOT NULL AND seq > ?"
        " ORDER BY seq LIMIT ?",
        (person, channel, after, max(0, limit)),
    )
    return [(seq, _row(tuple(columns))) for seq, *columns in found]


def counts(sql: sqlite3.Connection) -> dict[str, int]:
    """Rows per status, zeros included."""
    found = dict(sql.execute("SELECT status, count(*) FROM outbox GROUP BY status").fetchall())
    return {status: found.get(status, 0) for status in STATUSES}


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for i in range(0, len(ids), CHUNK):
        yield ids[i : i + CHUNK]


def _marks(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)
