"""How clients connect to Kafka and sign in, in the words of each client library."""

from __future__ import annotations

import ssl
from typing import Any

from streams.settings import Settings


def librdkafka_security(settings: Settings) -> dict[str, str]:
    """Return the part of a confluent-kafka configuration that says how to connect and sign in."""
    config: dict[str, str] = {"security.protocol": settings.security_protocol}
    if settings.security_protocol.startswith("SASL_"):
        config["sasl.mechanism"] = settings.sasl_mechanism
        config["sasl.username"] = settings.sasl_username or ""
        config["sasl.password"] = settings.sasl_password or ""
    if settings.ssl_cafile is not None and settings.security_protocol.endswith("SSL"):
        config["ssl.ca.location"] = settings.ssl_cafile
    return config


def aiokafka_security(settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments of an aiokafka client that say how to connect and sign in."""
    config: dict[str, Any] = {"security_protocol": settings.security_protocol}
    if settings.security_protocol.startswith("SASL_"):
        config["sasl_mechanism"] = settings.sasl_mechanism
        config["sasl_plain_username"] = settings.sasl_username
        config["sasl_plain_password"] = settings.sasl_password
    if settings.security_protocol.endswith("SSL"):
        config["ssl_context"] = ssl.create_default_context(cafile=settings.ssl_cafile)
    return config
