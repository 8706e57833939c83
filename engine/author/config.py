"""config.toml and ``HERENOW_SECTION__KEY`` variables to a checked :class:`Config`. Secrets are never resolved here."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.author.report import TextError, clip, nearest
from engine.author.settings import SECTIONS
from engine.errors import ConfigError
from engine.model.config import Channel, Config, Limits, Paths, Retention, Server
from engine.model.release import DecidePolicy, Policy, SensePolicy, TestPolicy

PREFIX = "HERENOW_"
CONSOLE = Channel("console", "console")  # always there, last where the file does not list it
_MAX_BYTES = 1_000_000
CHANNEL_NAME = re.compile(r"[A-Za-z0-9][\w\-]{0,63}")


class _Wrong(Exception):
    """One mistake: where, problem, fix."""

    def __init__(self, where: str, problem: str, fix: str = "") -> None:
        super().__init__(problem)
        self.where, self.problem, self.fix = where, problem, fix


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration of ``path`` (None: ``config.toml`` in the working folder, if there is one) and environment.

    Every key is optional; relative paths are relative to the file's folder. Raises ``ConfigError`` with every mistake.
    """
    given = path
    if given is None and Path("config.toml").is_file():
        given = Path("config.toml")
    text, table = _read(given) if given is not None else ("", {})
    loader = _Loader("config.toml" if given is None else str(given), text)
    loader.table(table)
    loader.environment(table, environ)
    if loader.wrong:
        raise _error(loader.wrong)
    folder = (given.parent if given is not None else Path()).resolve()
    return _config(loader, folder, "" if given is None else str(given.resolve()))


def _error(wrong: list[_Wrong]) -> ConfigError:
    if len(wrong) == 1:
        return ConfigError(wrong[0].problem, wrong[0].where, wrong[0].fix)
    lines = [f"{one.where}: {one.problem} {one.fix}".rstrip() for one in wrong]
    return ConfigError(f"{len(wrong)} settings are wrong:", fix="\n" + "\n".join(lines))


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    where = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"The file cannot be read: {error.strerror}.", where, "Check --config.") from error
    if len(data) > _MAX_BYTES:
        raise ConfigError("The file is larger than 1 MB.", where, "Is this the right file?")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError("This is not UTF-8 text.", where, "Save the file as UTF-8.") from error
    except RecursionError as error:
        raise ConfigError("The file is nested too deeply.", where, "Nest less.") from error
    except ValueError as error:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        place = f"{where}:{found[1]}:{found[2]}" if found else where
        problem = f"This is not TOML: {clip(str(error).partition(' (at ')[0])}."
        raise ConfigError(problem, place, 'Write key = value lines, texts in quotes: host = "127.0.0.1".') from error


class _Loader:
    """Collects the values of all sources (the environment wins), and what is wrong with them."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.text = file, text
        self.values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
        self.channels: dict[str, dict[str, Any]] = {}
        self.wrong: list[_Wrong] = []

    def place(self, section: str, key: str = "") -> str:
        """``config.toml:12 [server] port``, with the line where it can be found."""
        head = re.compile(rf"^\s*\[\s*{re.escape(section)}\s*\]", re.MULTILINE).search(self.text)
        line = 0
        if head is not None:
            body = re.compile(rf"^\s*{re.escape(key)}\s*=", re.MULTILINE).search(self.text, head.end()) if key else head
            at = body.end() if body is not None else head.end()
            line = self.text.count("\n", 0, at) + 1
        return f"{self.file}{f':{line}' if line else ''} [{section}]{' ' if key else ''}{key}"

    def set(self, section: str, key: str, value: Any, where: str) -> None:
        """Read one value, or note what is wrong with it."""
        try:
            self.values[section][key] = SECTIONS[section][key](value)
        except TextError as error:
            self.wrong.append(_Wrong(where, error.problem, error.fix))

    def table(self, table: Mapping[str, Any]) -> None:
        """Everything in the file."""
        for section, content in table.items():
            if section == "channels" and isinstance(content, dict):
                self.read_channels(content)
            elif section not in SECTIONS:
                near = nearest(section, (*SECTIONS, "channels"))
                fix = f"Did you mean [{near}]?" if near else f"Known: {', '.join((*SECTIONS, 'channels'))}."
                self.wrong.append(_Wrong(self.place(section), f"There is no section [{clip(section)}].", fix))
            elif not isinstance(content, dict):
                fix = f"Write [{section}] and its keys below."
                self.wrong.append(_Wrong(self.place(section), f"'{section}' is a section.", fix))
            else:
                for key, value in content.items():
                    self.key(section, key, value)

    def key(self, section: str, key: str, value: Any) -> None:
        """One key of the file."""
        where = self.place(section, key)
        if key in SECTIONS[section]:
            return self.set(section, key, value, where)
        near = nearest(key, SECTIONS[section])
        fix = f"Did you mean '{near}'?" if near else f"Known: {', '.join(SECTIONS[section])}."
        self.wrong.append(_Wrong(where, f"There is no key '{clip(key)}' in [{section}].", fix))
        return None

    def read_channels(self, channels: Mapping[str, Any]) -> None:
        """``[channels.NAME]`` tables, kept as they are but for the adapter."""
        for name, settings in channels.items():
            where = self.place(f"channels.{name}")
            if not isinstance(settings, dict):
                self.wrong.append(_Wrong(where, f"'{clip(name)}' is a section.", f"Write [channels.{clip(name)}]."))
            elif not CHANNEL_NAME.fullmatch(name):
                self.wrong.append(
                    _Wrong(where, f"'{clip(name)}' is no name for a channel.", "Use letters, digits, - _.")
                )
            else:
                self.channels[name] = dict(settings)

    # -------------------------------------------------------------- environment

    def environment(self, table: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        """``HERENOW_SERVER__PORT``; variables that a ``*_env`` setting names, or without ``__``, are not settings."""
        secrets = set(_secrets(table))
        for variable in sorted(environ):
            if variable.startswith(PREFIX) and "__" in variable and variable not in secrets:
                self.variable(variable, environ[variable])
        for name, settings in self.channels.items():
            if not isinstance(settings.get("adapter"), str) or not settings["adapter"]:
                where = self.place(f"channels.{name}")
                self.wrong.append(_Wrong(where, f"The channel '{name}' has no adapter.", 'Add adapter = "webhook".'))

    def variable(self, variable: str, value: str) -> None:
        """One variable, over what the file says."""
        section, _, key = variable.removeprefix(PREFIX).lower().partition("__")
        where = f"the variable {variable}"
        if section == "channels":
            return self.channel_variable(key, value, where)
        if section in SECTIONS and key in SECTIONS[section]:
            return self.set(section, key, _unpacked(value), where)
        known = [f"{PREFIX}{s.upper()}__{k.upper()}" for s, keys in SECTIONS.items() for k in keys]
        near = nearest(variable, known)
        fix = f"Did you mean {near}?" if near else "See the keys of config.toml."
        self.wrong.append(_Wrong(where, "No key of config.toml goes by this name.", fix))
        return None

    def channel_variable(self, rest: str, value: str, where: str) -> None:
        """``HERENOW_CHANNELS__PUSH__URL``."""
        name, _, key = rest.partition("__")
        names = {n.lower().replace("-", "_"): n for n in self.channels}
        if not name or not key:
            self.wrong.append(_Wrong(where, "A channel and its key are needed.", f"Write {PREFIX}CHANNELS__PUSH__URL."))
            return
        self.channels.setdefault(names.get(name, name), {})[key] = _unpacked(value)


def _secrets(table: Mapping[str, Any]) -> list[str]:
    """The variables that ``*_env`` settings name, anywhere in the file."""
    found: list[str] = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += _secrets(value)
        elif key.endswith("_env") and isinstance(value, str):
            found.append(value)
    return found


def _unpacked(value: str) -> Any:
    """A variable's text; lists may be written as in TOML."""
    if not value.lstrip().startswith(("[", "true", "false")):
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        return value


def _config(loader: _Loader, folder: Path, source: str) -> Config:
    get = loader.values
    channels = tuple(
        Channel(name, settings["adapter"], {k: v for k, v in settings.items() if k != "adapter"})
        for name, settings in loader.channels.items()
    )
    if not any(channel.name == CONSOLE.name for channel in channels):
        channels = (*channels, CONSOLE)
    names = tuple(channel.name for channel in channels)
    test = TestPolicy(**get["test"])
    for name in test.channels:
        if name not in names:
            near = nearest(name, names)
            fix = f"Did you mean '{near}'?" if near else f"Add [channels.{clip(name)}]."
            raise ConfigError(f"Unknown channel '{clip(name)}'.", loader.place("test", "channels"), fix)
    policy = Policy(
        sense=SensePolicy(**get["sense"]),
        decide=DecidePolicy(**get["decide"]),
        test=test,
        channels=names,
        **({"sends_per_minute": get["guard"]["sends_per_minute"]} if get["guard"] else {}),
        **({"matcher": get["match"]["engine"]} if get["match"] else {}),
    )
    paths = Paths(**get["paths"])
    return Config(
        server=Server(**get["server"]),
        paths=Paths(*(str((folder / Path(getattr(paths, name)).expanduser()).absolute()) for name in _fields(Paths))),
        retention=Retention(**get["retention"]),
        limits=Limits(**get["limits"]),
        channels=channels,
        egress_allow=get["egress"].get("allow", ()),
        policy=policy,
        source=source,
        **({"store": get["store"]["url"]} if get["store"] else {}),
        **get["ingest"],
    )


def _fields(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    return struct.__struct_fields__
