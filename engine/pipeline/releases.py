"""Compiled releases by hash, and the bundles they came from in the store. Compiling happens off the event loop."""

import asyncio
from collections.abc import Sequence

import structlog

from engine.author.project import Bundle, compile_bundle
from engine.errors import AuthorError, Finding
from engine.pipeline.library import Compiled
from engine.ports import Store

log = structlog.get_logger("herenow.releases")

HELD = 8  # compiled releases kept in memory beside the ones still named


class Releases:
    """What ``Core`` looks releases up in; filled before the records that name them are stepped."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.library: dict[str, Compiled] = {}
        self.findings: dict[str, list[Finding]] = {}

    async def keep(self, bundle: Bundle) -> Compiled:
        """Compile (``AuthorError`` if it cannot be) and keep the bundle in the store, durably, before anything names
        it."""
        compiled = self.library.get(bundle.hash) or await self._compile(bundle)
        await self._store.put_object(bundle.hash, bundle.encode())
        return compiled

    async def ensure(self, names: Sequence[str]) -> None:
        """Have these releases compiled; one that is gone or that this build refuses is reported and passed over."""
        for name in names:
            if not name or name in self.library:
                continue
            blob = await self._store.get_object(name)
            if blob is None:
                log.error("a release is not in the store any more", release=name)
                continue
            try:
                await self._compile(Bundle.decode(blob))
            except AuthorError as error:
                log.error("a release does not compile with this version", release=name, problem=str(error))

    async def _compile(self, bundle: Bundle) -> Compiled:
        compiled, findings = await asyncio.to_thread(compile_all, bundle)
        while len(self.library) >= HELD:
            del self.library[next(iter(self.library))]
        self.library[bundle.hash] = compiled
        self.findings[bundle.hash] = findings
        return compiled


def compile_all(bundle: Bundle) -> tuple[Compiled, list[Finding]]:
    """Parse and compile a bundle; raises ``AuthorError`` with every finding."""
    release, findings = compile_bundle(bundle)
    return Compiled.of(release), findings
