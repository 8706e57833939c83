"""The composition root: opens everything in order on one exit stack, and closes it in reverse."""

import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from engine.api import application, keys, listen
from engine.author.project import Bundle, read_bundle
from engine.author.watch import Watcher
from engine.clock import Clock, SimulatedClock, SystemClock
from engine.decide import zone_name_at
from engine.deliver import Deliverer, lane_policies, notes, open_adapters
from engine.errors import AuthorError, Busy, ConfigError, Finding, StoreError
from engine.hastening import hasten
from engine.model.config import Config
from engine.model.moment import Notification
from engine.pipeline import heap
from engine.pipeline.runner import Runner
from engine.pipeline.state import STAGED
from engine.pipeline.undisturbed import settled
from engine.schedule import Chore, scheduler, schedules_of
from engine.simulate.personas import load_personas
from engine.simulate.sandbox import SPEED, sandbox_config, sandbox_start
from engine.simulate.stream import simulate
from engine.store.embedded import EmbeddedStore
from engine.store.files import FolderLock

log = structlog.get_logger("herenow")

# How long a thread waits for the interpreter, which a busy loop holds, until it asks for it. Who hands a finished fsync
# back should not wait long; yet each time one asks, the loop stands still until that thread gets a processor.
SWITCH_SECONDS = 0.0005


@dataclass
class Server:
    """A running server: where it listens, and its parts."""

    host: str
    port: int
    runner: Runner
    deliverer: Deliverer
    notes: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Where to reach it from this machine."""
        return f"http://{self.host}:{self.port}"


@asynccontextmanager
async def open_server(config: Config, environ: Mapping[str, str], clock: Clock | None = None) -> AsyncIterator[Server]:
    """Everything running, until the context ends. Raises ``HerenowError`` with the fix when something cannot start."""
    clock = clock or SystemClock()
    sys.setswitchinterval(SWITCH_SECONDS)
    heap.keep_large_blocks_apart()
    data = Path(config.paths.data)
    keyring = keys.Keyring.open(data, environ)
    keys.must_be_loopback(config, keyring)
    folder = asyncio.ensure_future(asyncio.to_thread(_folder, config))  # most likely what ran before: nobody waits
    async with AsyncExitStack() as stack:
        store = open_store(config, clock)
        stack.push_async_callback(store.close)
        runner = Runner(config, store, clock)
        runner.releases.at_hand = folder
        await runner.start()
        stack.push_async_callback(runner.close)
        await _first_release(runner, config, await folder)
        runner.releases.at_hand = None
        zone_name_at(0.0, 0.0)  # reads its tables now: else the first signals would wait for them
        deliverer, remarks, send = await _deliver(stack, runner, config, environ)
        schedules = schedules_of(lambda: runner.core.schedules, runner.clock, runner)
        jobs = scheduler(schedules, _reload(runner, config), _checkpoint(runner), _retain(runner))
        stack.callback(jobs.shutdown, wait=False)
        app = application(runner, keyring, deliverer)
        port = await stack.enter_async_context(listen(app, config.server.host, config.server.port))
        await send()  # a second server, refused for its port, has sent nothing
        hastening = asyncio.create_task(hasten(runner), name="hasten")
        stack.callback(hastening.cancel)
        if keyring.empty:
            remarks += ("without any key only this machine is served; make one with: herenow keys create",)
        if not runner.core.compiled.release.rules:
            remarks += (f"there are no rules yet in {config.paths.rules}: nothing will be sent.",)
        yield Server(config.server.host, port, runner, deliverer, remarks)


def open_store(config: Config, clock: Clock) -> EmbeddedStore:
    """The store that config.toml names."""
    if config.store != "embedded:":
        raise ConfigError(f"the store '{config.store}' is not known", "[store] url", 'Use "embedded:".')
    return EmbeddedStore(Path(config.paths.data), config.retention, clock)


async def _deliver(
    stack: AsyncExitStack, runner: Runner, config: Config, environ: Mapping[str, str]
) -> tuple[Deliverer, tuple[str, ...], Callable[[], Awaitable[None]]]:
    """The deliverer, remarks for the operator, and what makes it begin; it stops after what is put on the stack
    later."""

    def publish(channel: str, notification: Notification) -> None:
        runner.feed.publish(f"inbox:{channel}:{notification.person}", notification)

    adapters = await stack.enter_async_context(open_adapters(config, runner.clock, environ, publish))
    deliverer = Deliverer(runner.store, runner, runner.clock, adapters, policies=lane_policies(config))

    runner.send_with(deliverer)
    tasks: list[asyncio.Task[None]] = []

    async def send() -> None:
        await deliverer.recover()
        tasks.append(asyncio.create_task(deliverer.run(), name="deliver"))

    async def stop() -> None:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    stack.push_async_callback(stop)
    return deliverer, tuple(notes(adapters)), send


# ------------------------------------------------------------------ releases from the folder


def _folder(config: Config) -> Bundle | AuthorError:
    """The authored files as they are, with their hash worked out; or what is wrong with them."""
    try:
        bundle = read_bundle(config)
    except AuthorError as error:
        return error
    _ = bundle.hash  # worked out here, and kept
    return bundle


async def _first_release(runner: Runner, config: Config, bundle: Bundle | AuthorError) -> None:
    """Put the folder in force unless it is what was seen last; a bad folder leaves the last good release running."""
    state = runner.core.state
    await _last_good(runner)
    running = runner.core.compiled.release.hash
    try:
        if isinstance(bundle, AuthorError):
            raise bundle
        _must_be_there(runner, config)
        # One that this version cannot load is not running; where it had been chosen over the folder, that stands.
        chosen = state.release != state.seen and bool(state.release)
        if bundle.hash != state.seen or (running != state.release and not chosen):
            await runner.activate(bundle, by="start", why="the folder changed")
    except AuthorError as error:
        _refused(runner, error)
        if not running:
            raise


async def _last_good(runner: Runner) -> None:
    """A release that was chosen over the folder (pushed, rolled back to) and that this version cannot load: the one in
    force before it goes on, unless that came from the folder too: somebody chose against it."""
    state = runner.core.state
    if state.release in ("", state.seen, runner.core.compiled.release.hash):
        return
    lost, tried = state.release, {state.release, state.seen}
    told = "nothing is in force"
    for name in [one.release for one in reversed(state.activations) if one.source != STAGED]:
        bundle = None if name in tried else await runner.releases.bundle(name)
        tried.add(name)
        with contextlib.suppress(AuthorError):
            if bundle is not None:
                await runner.activate(bundle, "start", f"this version cannot load {lost[:12]}", "rollback")
                told = f"release {name[:12]} runs in its place"
                break
    runner.notes["release"] = f"Release {lost[:12]} cannot be loaded by this version; {told}. Push or roll back."
    log.error("a release cannot be loaded", release=lost, then=told)


def _reload(runner: Runner, config: Config) -> Chore:
    # What was refused at the start may have been mended before the first look: that is a change, too.
    watcher = Watcher(config, None if "rules" in runner.notes else runner.core.state.seen)

    async def reload() -> None:
        nonlocal watcher
        try:
            bundle = await asyncio.to_thread(watcher.changed)
            if bundle is None:
                return
            _must_be_there(runner, config)
            if bundle.hash != runner.core.state.seen:  # else a wrong file was put back as it was
                await runner.activate(bundle, by="hot reload", why="the folder changed")
        except AuthorError as error:
            watcher.seen = None  # whatever the next change is, it is told whether it is right
            _refused(runner, error)
            return
        except (StoreError, Busy):
            watcher = Watcher(config, runner.core.state.seen)  # the change is still to be made: look again
            raise
        runner.notes.pop("rules", None)
        log.info("release in force", release=bundle.hash[:12], rules=len(runner.core.compiled.release.rules))

    return reload


def _must_be_there(runner: Runner, config: Config) -> None:
    """A folder that vanished (a deployment under way, a volume that is not mounted) ends no campaign; an empty one
    does."""
    release = runner.core.compiled.release
    for folder, held in ((config.paths.rules, release.rules), (config.paths.geofences, release.fences)):
        if held and not Path(folder).is_dir():
            fix = "Put it back; an empty folder ends everything that was in it."
            raise AuthorError([Finding(folder, 0, 0, "error", "FOLDER_GONE", "The folder is not there.", fix)])


def _refused(runner: Runner, error: AuthorError) -> None:
    errors = [str(f) for f in error.findings if f.severity == "error"]
    runner.notes["rules"] = "The files changed but are wrong; the last good release runs on. " + " ".join(errors[:3])
    for line in errors[:20]:
        log.error("refused", finding=line)


def _checkpoint(runner: Runner) -> Chore:
    async def checkpoint() -> None:
        runner.want_checkpoint()

    return checkpoint


def _retain(runner: Runner) -> Chore:
    async def retain() -> None:
        await runner.store.retain(runner.clock.now())

    return retain


# ------------------------------------------------------------------ until a signal


async def serve(config: Config, environ: Mapping[str, str], ready: Callable[[Server], None]) -> None:
    """Serve until SIGINT or SIGTERM."""
    async with open_server(config, environ) as server:
        with settled():
            ready(server)
            await _stopped()


async def serve_sandbox(config: Config, environ: Mapping[str, str], ready: Callable[[Server], None]) -> None:
    """The demo city on a simulated clock: personas stream over real HTTP until SIGINT or SIGTERM."""
    config = sandbox_config(config, Path.cwd())
    _clear(Path(config.paths.data))  # every sandbox begins on the same Monday morning
    clock = SimulatedClock(sandbox_start(), SPEED)
    async with open_server(config, environ, clock) as server:
        ready(server)
        people = asyncio.create_task(simulate(server.url, None, clock, load_personas(), pause=SystemClock()))
        try:
            await _stopped(people)
        finally:
            people.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await people


def _clear(data: Path) -> None:
    """Remove what an earlier sandbox left; refused while one is running there."""
    if data.is_dir():
        lock = FolderLock(data)
        lock.take()
        shutil.rmtree(data, ignore_errors=True)
        lock.release()


async def _stopped(also: "asyncio.Task[object] | None" = None) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    waiting = {asyncio.create_task(stop.wait())} | ({also} if also else set())
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
