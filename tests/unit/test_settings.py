"""Settings: one table, four sources, and one line for each mistake."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from streams.errors import UsageError
from streams.security import aiokafka_security, librdkafka_security
from streams.settings import SETTINGS, Settings, load_settings, shown


def refusal(environ: dict[str, str], **overrides: object) -> str:
    """Return the one line with which these settings are refused."""
    with pytest.raises(UsageError) as caught:
        load_settings(environ, overrides)
    return str(caught.value)


def test_without_anything_set_the_defaults_hold() -> None:
    """An empty environment gives the declared defaults, those named in the documentation among them."""
    settings = load_settings({})

    assert settings == Settings()
    assert (settings.partitions, settings.commit_interval_ms, settings.sweep_interval_s) == (8, 100, 30)
    assert (settings.catchup_after_s, settings.max_unusable_share, settings.n_clusters) == (3600, 0.9, 8)
    assert (settings.kafka_bootstrap, settings.web_bind, settings.timezone) == (None, "127.0.0.1", "UTC")


def test_every_default_is_within_its_own_bounds() -> None:
    """Giving each default explicitly is accepted and changes nothing."""
    given = {row.name: row.default for row in SETTINGS}

    assert load_settings({}, given) == Settings()


def test_the_table_says_everything_about_each_setting() -> None:
    """Each row has a meaning and what is allowed; variables are LIVE_SEGMENTS_<NAME> and KAFKA_BOOTSTRAP."""
    assert [row.name for row in SETTINGS] == list(Settings.__struct_fields__)
    assert all(row.meaning and row.allowed for row in SETTINGS)
    assert {row.env for row in SETTINGS} == {
        "KAFKA_BOOTSTRAP",
        *(f"LIVE_SEGMENTS_{row.name.upper()}" for row in SETTINGS if row.name != "kafka_bootstrap"),
    }


def test_options_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    """The nearer to the user, the stronger; an option that is not given (None) decides nothing."""
    file = tmp_path / "settings.toml"
    file.write_text('partitions = 2\nseed = 2\ncurrency = "GBP"\nweb_port = 2\n')
    environ = {
        "LIVE_SEGMENTS_CONFIG": str(file),
        "LIVE_SEGMENTS_PARTITIONS": "3",
        "LIVE_SEGMENTS_SEED": "3",
        "LIVE_SEGMENTS_WEB_PORT": "",
    }

    settings = load_settings(environ, {"partitions": 4, "seed": None})

    assert (settings.partitions, settings.seed, settings.currency) == (4, 3, "GBP")
    assert settings.web_port == 2  # an empty variable is an unset one


def test_values_with_parts_are_read_from_text_and_from_a_file(tmp_path: Path) -> None:
    """Rates and names are written with commas in a variable, and as table and list in the file."""
    file = tmp_path / "settings.toml"
    file.write_text('main_features = ["clicks_total"]\n[currency_rates]\nUSD = 0.92\nJPY = 1\n')

    from_file = load_settings({"LIVE_SEGMENTS_CONFIG": str(file)})
    from_text = load_settings(
        {
            "LIVE_SEGMENTS_MAIN_FEATURES": "clicks_total, views_total",
            "LIVE_SEGMENTS_CURRENCY_RATES": "USD=0.92, GBP=1.17",
        }
    )

    assert from_file.currency_rates == {"USD": 0.92, "JPY": 1.0}
    assert from_file.main_features == ("clicks_total",)
    assert from_text.currency_rates == {"USD": 0.92, "GBP": 1.17}
    assert from_text.main_features == ("clicks_total", "views_total")


@pytest.mark.parametrize(
    ("env", "value", "allowed"),
    [
        ("LIVE_SEGMENTS_PARTITIONS", "0", "a whole number from 1 to 1024"),
        ("LIVE_SEGMENTS_PARTITIONS", "eight", "a whole number from 1 to 1024"),
        ("LIVE_SEGMENTS_PARTITIONS", "8.5", "a whole number from 1 to 1024"),
        ("LIVE_SEGMENTS_WEB_PORT", "null", "a whole number from 0 to 65535"),
        ("LIVE_SEGMENTS_MAX_UNUSABLE_SHARE", "1.1", "a number from 0 to 1"),
        ("LIVE_SEGMENTS_MAX_UNUSABLE_SHARE", "nan", "a number from 0 to 1"),
        ("LIVE_SEGMENTS_PARTITIONER", "md5", "one of murmur2, crc32"),
        ("LIVE_SEGMENTS_TIMEZONE", "Mars/Olympus", "an IANA time zone such as Europe/Berlin"),
        ("LIVE_SEGMENTS_TIMEZONE", "../etc/passwd", "an IANA time zone such as Europe/Berlin"),
        ("LIVE_SEGMENTS_CURRENCY", "euro", "three capital letters such as EUR"),
        ("LIVE_SEGMENTS_CURRENCY_RATES", "USD", "CODE=RATE with commas between"),
        ("LIVE_SEGMENTS_CURRENCY_RATES", "USD=0", "CODE=RATE with commas between"),
        ("LIVE_SEGMENTS_CURRENCY_RATES", "USD=nan", "CODE=RATE with commas between"),
        ("LIVE_SEGMENTS_APP_ID", "a b", "1 to 100 of the characters"),
        ("KAFKA_BOOTSTRAP", "kafka", "HOST:PORT, several with commas between"),
        ("KAFKA_BOOTSTRAP", "a:9092,", "HOST:PORT, several with commas between"),
        (
            "KAFKA_BOOTSTRAP",
            "a:9092,b:65536",
            "HOST:PORT, several with commas between; ports from 1 to 65535",
        ),
        ("KAFKA_BOOTSTRAP", "a:0", "HOST:PORT, several with commas between; ports from 1 to 65535"),
        ("LIVE_SEGMENTS_WEB_PORT", "65536", "a whole number from 0 to 65535"),
        ("LIVE_SEGMENTS_WEB_PORT", "9" * 30, "a whole number from 0 to 65535"),
    ],
)
def test_a_wrong_value_is_one_line_with_name_value_and_what_is_allowed(
    env: str, value: str, allowed: str
) -> None:
    """The line names the variable, what it was set to, and what it may be."""
    line = refusal({env: value})

    assert line.startswith(f"{env}={value}: allowed is {allowed}")
    assert "\n" not in line


def test_a_secret_is_never_shown() -> None:
    """Neither the settings as text, nor the table, nor a refusal shows a secret's value."""
    settings = load_settings(
        {"LIVE_SEGMENTS_SASL_PASSWORD": "hunter2", "LIVE_SEGMENTS_ERASURE_KEY": "hunter2"}
    )
    password = next(row for row in SETTINGS if row.name == "sasl_password")

    assert settings.sasl_password == "hunter2"  # noqa: S105 - a made-up one
    assert "hunter2" not in repr(settings)
    assert shown(settings, password) == "***"
    assert shown(Settings(), password) is None
    assert "hunter2" not in refusal({"LIVE_SEGMENTS_ERASURE_KEY": "hunter2" * 20})


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("LIVE_SEGMENTS_PARTITION", "did you mean LIVE_SEGMENTS_PARTITIONS?"),
        ("LIVE_SEGMENTS_TOPICPREFIX", "did you mean LIVE_SEGMENTS_TOPIC_PREFIX?"),
        ("LIVE_SEGMENTS_CONFG", "did you mean LIVE_SEGMENTS_CONFIG?"),
        ("LIVE_SEGMENTS_KAFKA_BOOTSTRAP", "did you mean KAFKA_BOOTSTRAP?"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(wrong: str, meant: str) -> None:
    """A misspelt variable is not silently ignored."""
    line = refusal({wrong: "1"})

    assert wrong in line
    assert meant in line


def test_variables_of_others_are_left_alone() -> None:
    """What does not begin with LIVE_SEGMENTS_ is nobody's business here."""
    assert load_settings({"KAFKA_HEAP_OPTS": "-Xmx1g", "PATH": "/bin"}) == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("partitions = 0", "partitions=0: allowed is a whole number"),
        ('partitions = ["8"]', "allowed is a whole number"),
        ("partitions = true", "allowed is a whole number"),
        ("partition = 8", "did you mean partitions?"),
        ("partitions =", "not a TOML file"),
        (b"\xff\xfe", "not a TOML file"),
    ],
)
def test_a_wrong_file_is_refused_with_its_path(tmp_path: Path, text: str | bytes, said: str) -> None:
    """A mistake in the file is one line that names the file."""
    file = tmp_path / "settings.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())

    line = refusal({"LIVE_SEGMENTS_CONFIG": str(file)})

    assert str(file) in line
    assert said in line
    assert "\n" not in line


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is named and cannot be read is an error, not an empty file."""
    assert "No such file" in refusal({"LIVE_SEGMENTS_CONFIG": str(tmp_path / "none.toml")})
    assert "name a TOML file" in refusal({"LIVE_SEGMENTS_CONFIG": str(tmp_path)})


def test_a_wrong_option_is_named_as_it_is() -> None:
    """Options are checked like everything else, an undeclared one is a mistake of the caller."""
    assert refusal({}, partitions=-1).startswith("partitions=-1: allowed is")
    assert "unknown setting partitons" in refusal({}, partitons=1)


def test_signing_in_needs_user_and_password() -> None:
    """A SASL protocol without user or password is refused with the names to set."""
    line = refusal({"LIVE_SEGMENTS_SECURITY_PROTOCOL": "SASL_SSL", "LIVE_SEGMENTS_SASL_USERNAME": "u"})

    assert "LIVE_SEGMENTS_SASL_PASSWORD" in line


def test_a_missing_certificate_file_is_refused(tmp_path: Path) -> None:
    """The certificates are looked for at start, not at the first connection."""
    assert "no such file" in refusal({"LIVE_SEGMENTS_SSL_CAFILE": str(tmp_path / "none.pem")})


def test_both_clients_get_the_same_security() -> None:
    """Protocol, mechanism, user and password reach librdkafka and aiokafka under their own names."""
    environ = {
        "LIVE_SEGMENTS_SECURITY_PROTOCOL": "SASL_SSL",
        "LIVE_SEGMENTS_SASL_MECHANISM": "SCRAM-SHA-512",
        "LIVE_SEGMENTS_SASL_USERNAME": "null",
        "LIVE_SEGMENTS_SASL_PASSWORD": "secret",
    }
    settings = load_settings(environ)
    aiokafka = aiokafka_security(settings)

    assert librdkafka_security(settings) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "null",
        "sasl.password": "secret",
    }
    context = aiokafka.pop("ssl_context")
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert aiokafka == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "null",
        "sasl_plain_password": "secret",
    }


def test_without_security_nothing_but_the_protocol_is_set() -> None:
    """A plain connection carries no leftovers of signing in."""
    assert librdkafka_security(Settings(sasl_password="x")) == {"security.protocol": "PLAINTEXT"}  # noqa: S106 - a made-up one
    assert aiokafka_security(Settings(ssl_cafile="x")) == {"security_protocol": "PLAINTEXT"}
