"""config.toml: every key optional, every mistake told with its place, the environment over the file."""

import pytest

from engine.author.config import load_config
from engine.errors import ConfigError
from engine.model.config import Channel, Config
from engine.model.release import Policy
from engine.model.rule import Cap

WHOLE = """\
[server]
host = "0.0.0.0"
port = 9000
[paths]
rules = "mine/rules"
data = "/srv/herenow"
[store]
url = "embedded:"
[retention]
journal_days = 3
journal_max = "2GB"
[limits]
body = "1MB"
queue = 10
[ingest]
unknown_fields = "reject"
[match]
engine = "indexed"
[sense]
silence = "45m"
enter_probability = 0.8
[decide]
time_zone = "Europe/Berlin"
quiet_hours = "none"
caps = ["1 per day", "2 per 6 hours"]
cooldown = "0s"
[guard]
sends_per_minute = 5
[test]
people = ["me", "test-*"]
channels = ["push"]
[channels.push]
adapter = "webhook"
url = "https://example.org/hook"
secret_env = "HERENOW_PUSH__SECRET"
[egress]
allow = ["127.0.0.1/32"]
"""


@pytest.fixture
def load(tmp_path):
    def load_text(text, **environ):
        path = tmp_path / "config.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(path, environ)

    return load_text


def test_an_empty_file_is_the_defaults(load, tmp_path):
    config = load("")
    assert config.policy == Policy()
    assert config.channels == (Channel("console", "console"),)
    assert config.paths.rules == str(tmp_path / "rules")
    assert config.source == str(tmp_path / "config.toml")


def test_no_file_is_the_defaults_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(None, {})
    assert (config.paths.data, config.source) == (str(tmp_path / "var"), "")
    assert config.server == Config().server


def test_every_key_is_read(load, tmp_path):
    config = load(WHOLE)
    assert (config.server.host, config.server.port) == ("0.0.0.0", 9000)
    assert (config.paths.rules, config.paths.data) == (str(tmp_path / "mine" / "rules"), "/srv/herenow")
    assert (config.retention.journal_days, config.retention.journal_max) == (3, 2 * 10**9)
    assert (config.limits.body, config.limits.queue, config.unknown_fields) == (10**6, 10, "reject")
    policy = config.policy
    assert (policy.sense.silence, policy.sense.enter_probability) == (2700, 0.8)
    assert (policy.decide.time_zone, policy.decide.quiet_hours, policy.decide.cooldown) == ("Europe/Berlin", None, 0)
    assert policy.decide.caps == (Cap(1, "day"), Cap(2, 21600.0))
    assert (policy.test.people, policy.sends_per_minute) == (("me", "test-*"), 5)
    assert config.egress_allow == ("127.0.0.1/32",)


def test_channels_keep_their_settings_and_secrets_stay_names(load):
    config = load(WHOLE, HERENOW_PUSH__SECRET="whsec_x", HERENOW_OTHER_SECRET="y")
    settings = {"url": "https://example.org/hook", "secret_env": "HERENOW_PUSH__SECRET"}
    assert config.channels == (Channel("push", "webhook", settings), Channel("console", "console"))
    assert config.policy.channels == ("push", "console")


def test_the_environment_wins(load):
    environ = {
        "HERENOW_SERVER__PORT": "8111",
        "HERENOW_DECIDE__CAPS": "",
        "HERENOW_DECIDE__QUIET_HOURS": "22:00-07:00",
        "HERENOW_TEST__PEOPLE": '["me"]',
        "HERENOW_CHANNELS__PUSH__URL": "https://example.org/other",
    }
    config = load(WHOLE, **environ)
    assert config.server.port == 8111
    assert (config.policy.decide.caps, config.policy.decide.quiet_hours) == ((), (1320, 420))
    assert config.policy.test.people == ("me",)
    assert config.channels[0].settings["url"] == "https://example.org/other"


@pytest.mark.parametrize(
    ("text", "where", "fix"),
    [
        ("[server]\n\nhots = 'x'\n", ":3 [server] hots", "Did you mean 'host'?"),
        ("[sens]\n", ":1 [sens]", "Did you mean [sense]?"),
        ("[server]\nport = 70000\n", ":2 [server] port", ""),
        ("[server]\nport = 1.5\n", ":2 [server] port", ""),
        ("[server]\nport = true\n", ":2 [server] port", ""),
        ("[sense]\nsilence = 30\n", ":2 [sense] silence", '"30s"'),
        ("[sense]\nenter_probability = nan\n", ":2 [sense]", ""),
        ("[decide]\ncaps = '3 per mnth'\n", ":2 [decide] caps", "Did you mean 'month'?"),
        ("[decide]\ntime_zone = 'Europe/Berln'\n", ":2 [decide] time_zone", "Did you mean 'Europe/Berlin'?"),
        ("[decide]\ntime_zone = '../x'\n", ":2 [decide] time_zone", "Europe/Berlin"),
        ("[decide]\nquiet_hours = 'night'\n", ":2 [decide] quiet_hours", "none"),
        ("[limits]\nbody = '8 megs'\n", ":2 [limits] body", "8MB"),
        ("[store]\nurl = 'redis://x'\n", ":2 [store] url", ""),
        ("[match]\nengine = 'drools'\n", ":2 [match] engine", "durable, indexed"),
        ("[egress]\nallow = ['nowhere']\n", ":2 [egress] allow", "127.0.0.1/32"),
        ("[test]\nchannels = ['pus']\n[channels.push]\nadapter = 'x'\n", ":2 [test] channels", "Did you mean 'push'?"),
        ("[channels.push]\nurl = 'x'\n", ":1 [channels.push]", "adapter"),
        ("[channels]\npush = 3\n", "[channels.push]", "[channels.push]"),
        ("server = 3\n", "[server]", "[server]"),
        ("[server\n", ":1:", "key = value"),
        ("a = " + "[" * 100_000, "config.toml", "Nest less."),
        ("a = " + "9" * 5000, "config.toml", "key = value"),
        (b"\xff", "config.toml", "UTF-8"),
        (b"#" * 1_000_001, "config.toml", "right file"),
    ],
)
def test_a_mistake_names_file_key_and_fix(load, text, where, fix):
    with pytest.raises(ConfigError) as raised:
        load(text)
    assert where in raised.value.where
    assert fix in raised.value.fix
    assert raised.value.problem


def test_all_mistakes_come_at_once(load):
    with pytest.raises(ConfigError) as raised:
        load("[server]\nport = -1\nhots = 'x'\n", HERENOW_SERVER__PROT="1", HERENOW_SENSE__SILENCE="soon")
    text = str(raised.value)
    assert "HERENOW_SERVER__PORT" in text
    assert all(part in text for part in ("4 settings", "[server] port", "[server] hots", "HERENOW_SENSE__SILENCE"))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.toml", {})
