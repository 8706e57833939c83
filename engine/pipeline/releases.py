"""Compiled releases by hash, and the bundles they came from in the store. Compiling happens off the event loop."""

import asyncio
from collections.abc import Awaitable, MutableMapping, Sequence

import structlog

from engine.author.collector import let_go, paused
from engine.author.geojson import read_fences
from engine.author.kept import Kept, Read
from engine.author.project import Bundle, compile_bundle
from engine.errors import AuthorError, Finding, HerenowError
from engine.model.release import Release
from engine.pipeline.changes import Change, changes
from engine.pipeline.fences import RunTimeFences
from engine.pipeline.made import Made
from engine.pipeline.runtime import load as load_fences
from engine.pipeline.versions import EMPTY, NOTHING_MADE, Compiled, place
from engine.ports import Store

log = structlog.get_logger("herenow.releases")

HELD = 8  # compiled releases kept in memory; those that are just needed are kept beside them
ASKED = 4  # compiled for questions about the past


class Releases:
    """What ``Core`` looks releases up in; filled before the records that name them are stepped. ``at_hand``: what the
    folder holds, while a server starts; a bundle that is there is not read from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.at_hand: Awaitable[Bundle | AuthorError] | None = None
        self.versions: dict[str, Compiled] = {}
        self.findings: dict[str, list[Finding]] = {}
        self._asked: dict[str, Compiled] = {}
        folder = getattr(store, "folder", None)
        kept = None if folder is None else folder / "read"
        self._read = read_fences if kept is None else Kept(kept).read
        self.made = Made(kept)
        self.fences = RunTimeFences(store, self.versions, self.made)

    async def keep(self, bundle: Bundle, told: bool = True) -> Compiled:
        """Compile (``AuthorError`` if it cannot be) and keep the bundle in the store, durably, before anything names
        it. One that was never kept is judged as strictly as ``check`` does; ``told``: somebody is told of warnings."""
        new = await self._store.get_object(bundle.hash) is None
        compiled = self.versions.get(bundle.hash) or await self._compile(bundle, new, told)
        self._shelve(compiled, (bundle.hash,))
        await self._store.put_object(bundle.hash, bundle.encode())
        return compiled

    async def ensure(self, names: Sequence[str]) -> None:
        """Have these releases compiled, all at once; one that is gone or that this build refuses is reported and
        passed over."""
        for name in names:
            if name and name not in self.versions and (compiled := await self._from_store(name)) is not None:
                self._shelve(compiled, names)

    async def find(self, name: str) -> Compiled | None:
        """A compiled release for a question; what the core works with is left as it is. None where it is gone."""
        found = self.versions.get(name) or self._asked.get(name) or await self._from_store(name)
        if found is not None and name not in self.versions:
            self._asked[name] = found
            while len(self._asked) > ASKED:
                del self._asked[next(iter(self._asked))]
        return found

    async def joined(self, release: str, fences: str, versions: MutableMapping[str, Compiled]) -> Compiled | None:
        """Put a release, alone and with a run-time set, among the versions of a question; None where it is gone."""
        base = await self.find(release) if release else Compiled.of(EMPTY)
        if base is None:
            return None
        versions.setdefault(release, base)
        name = place(release, fences)
        if not fences or name in versions:
            return versions[name]
        joined = self.versions.get(name) or self._asked.get(name)
        if joined is None:
            try:
                runtime = await load_fences(self._store, fences)
            except HerenowError as error:
                log.error("run-time fences cannot be read", fences=fences, problem=str(error))
                return base
            joined = self._asked[name] = await asyncio.to_thread(base.with_fences, runtime)
        versions[name] = joined
        return joined

    async def bundle(self, name: str) -> Bundle | None:
        """The authored files of a release, or None where the store does not hold it."""
        blob = await self._store.get_object(name)
        return None if blob is None else await asyncio.to_thread(Bundle.decode, blob, name)

    def changes(self, old: Release, new: Release) -> list[Change]:
        """What differs, in plain words."""
        return changes(old, new)

    async def _from_store(self, name: str) -> Compiled | None:
        try:
            near = None if self.at_hand is None else await self.at_hand
            bundle = near if isinstance(near, Bundle) and near.hash == name else await self.bundle(name)
            if bundle is not None:
                return await self._compile(bundle)
        except AuthorError as error:
            log.error("a release does not compile with this version", release=name, problem=str(error))
            return None
        except HerenowError as error:
            log.error("a release cannot be read", release=name, problem=str(error))
            return None
        log.error("a release is not in the store any more", release=name)
        return None

    async def _compile(self, bundle: Bundle, new: bool = False, told: bool = False) -> Compiled:
        compiled, found = await asyncio.to_thread(compile_all, bundle, new, self._read, self.made, told)
        self.findings[bundle.hash] = found
        return compiled

    def _shelve(self, compiled: Compiled, needed: Sequence[str]) -> None:
        """The newest use comes last; what was used longest ago makes room, unless it is needed just now."""
        name = compiled.release.hash
        self.versions.pop(name, None)
        self.versions[name] = compiled
        spare = [held for held in self.versions if held != name and held not in needed]
        for held in spare[: max(0, len(self.versions) - HELD)]:
            pieces = self.versions.pop(held).pieces()
            self.findings.pop(held, None)
            asyncio.get_running_loop().run_in_executor(None, let_go, pieces)


def compile_all(
    bundle: Bundle, new: bool = False, read: Read = read_fences, made: Made = NOTHING_MADE, told: bool = True
) -> tuple[Compiled, list[Finding]]:
    """Parse and compile a bundle; raises ``AuthorError`` with every finding. ``new``: as strictly as ``check``;
    ``read`` reads geofence files; ``made`` has what was compiled before; ``told``: somebody is told of warnings."""
    with paused():
        release, findings = compile_bundle(bundle, new, read, told)
        return Compiled.of(release, made), findings
