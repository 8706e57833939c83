"""How long decoding, building and recognising repeats take, per signal: ``python benchmarks/ingest.py``."""

import random
import time
from collections.abc import Callable

import msgspec

from engine.ingest import signals
from engine.ingest.dedupe import Recent
from engine.model.config import Limits

ARRIVAL = 1_795_508_200.0
SIZE = 100


def body(kind: str) -> bytes:
    """An array of ``SIZE`` signals as a backend would send it."""
    rng = random.Random(7)
    batch = []
    for i in range(SIZE):
        at = ARRIVAL - 60 + i if kind != "iso" else f"2026-11-24T08:15:{i % 60:02d}.500Z"
        fix = {"device": f"device-{i:05d}", "at": at, "lat": 52.5 + rng.random() / 10, "lon": 13.4 + rng.random() / 10}
        fix |= {"accuracy": 12.5, "speed": 1.4, "heading": 90.0, "battery": 0.8}
        if kind == "rich":
            fix |= {"id": f"sig-{i:08d}", "event": "app_open", "context": {"app": "3.1", "net": "wifi"}}
        if kind == "unknown":
            fix |= {"colour": "red"}
        batch.append(fix)
    return msgspec.json.encode(batch)


def per_signal(call: Callable[[], object], rounds: int = 200) -> float:
    """Best of seven, microseconds per signal: what it takes when nothing else runs."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(rounds):
            call()
        times.append((time.perf_counter() - start) / rounds / SIZE * 1e6)
    return min(times)


def main() -> None:
    """Print the table."""
    limits = Limits()
    print(f"{'body':10} {'json':>8} {'whole':>8} {'build':>8}   µs per signal, arrays of {SIZE}")
    for kind in ("plain", "iso", "rich", "unknown"):
        text = body(kind)
        whole = per_signal(lambda text=text: signals.decode(text, "application/json", ARRIVAL, limits, "warn", 300.0))
        if kind == "unknown":
            print(f"{kind:10} {'':>8} {whole:8.2f}   (the slow way)")
            continue
        json = per_signal(lambda text=text: signals._array.decode(text))
        print(f"{kind:10} {json:8.2f} {whole:8.2f} {whole - json:8.2f}")
    decoded = signals.decode(body("plain"), "application/json", ARRIVAL, limits, "warn", 300.0)
    recent = Recent()
    first = per_signal(lambda: Recent().admit(decoded.signals, ARRIVAL))
    recent.admit(decoded.signals, ARRIVAL)
    known = per_signal(lambda: recent.admit(decoded.signals, ARRIVAL))
    print(f"repeats    {known:8.2f} when all are known, {first:.2f} when all devices are new")


if __name__ == "__main__":
    main()
