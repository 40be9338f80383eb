"""docker-compose.yml without a Docker engine: form, pins, and that it names what exists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml

from streams.metrics import product_version
from streams.settings import SETTINGS, load_settings

ROOT = Path(__file__).parents[2]
SCHEMA = Path(__file__).parent / "data" / "compose-spec.json"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*")


def test_the_file_is_valid_compose() -> None:
    """It follows the Compose specification, key by key."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))

    jsonschema.Draft201909Validator(schema).validate(COMPOSE)


def test_the_schema_sees_a_misspelt_key() -> None:
    """The check above can fail."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    broken = {"services": {"kafka": {"image": "apache/kafka:4.3.1", "enviroment": {}}}}

    with pytest.raises(jsonschema.ValidationError, match="enviroment"):
        jsonschema.Draft201909Validator(schema).validate(broken)


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_by_version(name: str) -> None:
    """The same file starts the same programs next year."""
    assert PINNED.fullmatch(SERVICES[name]["image"])


def test_the_base_image_is_pinned_and_of_the_python_that_the_project_asks_for() -> None:
    """All stages of the Dockerfile start from one pinned image."""
    dockerfile = (ROOT / "ops" / "Dockerfile").read_text(encoding="utf-8")
    images = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)

    assert len(images) == 2
    assert len(set(images)) == 1
    assert PINNED.fullmatch(images[0])
    assert images[0].startswith("python:3.11.")


def test_uv_is_of_one_version_everywhere() -> None:
    """The image is built by the same uv as the folder on a developer's machine."""
    in_make = re.findall(
        r"^UV_VERSION := (\S+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    in_image = re.findall(r"uv==(\S+)", (ROOT / "ops" / "Dockerfile").read_text(encoding="utf-8"))

    assert in_make == in_image


def test_kafka_is_the_version_that_the_tests_run() -> None:
    """What is tried out is what is tested."""
    pom = ET.parse(ROOT / "ops" / "kafka" / "pom.xml")  # noqa: S314 - our own file
    version = pom.findtext(".//{http://maven.apache.org/POM/4.0.0}kafka.version")

    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version}"


def test_our_image_has_the_version_of_the_product() -> None:
    """A new version of the product is a new image, never an old one found on the machine."""
    assert {f"live-segments:{product_version()}"} == {service["image"] for service in OURS.values()}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_exists_and_can_come_true(name: str) -> None:
    """Healthy needs a health check; completed needs a service that ends and is not started again."""
    for target, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[target]
        if how["condition"] == "service_completed_successfully":
            assert "restart" not in SERVICES[target]


def test_volumes_and_files_exist() -> None:
    """Named volumes are declared, and what is mounted from the repository is there."""
    for service in SERVICES.values():
        for source in (volume.split(":")[0] for volume in service.get("volumes", [])):
            assert source in COMPOSE["volumes"] or (source.startswith("./") and (ROOT / source).exists())
    for service in OURS.values():
        assert (ROOT / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_ports_are_published_on_this_machine_only() -> None:
    """Nothing here asks for a password, so nothing is offered to the network."""
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("name", OURS)
def test_our_environment_is_made_of_settings(name: str) -> None:
    """Every variable is a setting, with a value that is allowed."""
    environment = OURS[name]["environment"]

    assert set(environment) <= {row.env for row in SETTINGS}
    assert load_settings(environment).kafka_bootstrap == "kafka:19092"


def test_the_worker_is_found_where_it_listens() -> None:
    """Port and path of page, health check and Prometheus agree."""
    worker, prometheus = SERVICES["worker"], (ROOT / "ops" / "prometheus" / "prometheus.yml")
    port = load_settings(worker["environment"]).web_port
    scraped = yaml.safe_load(prometheus.read_text(encoding="utf-8"))["scrape_configs"][0]

    assert {"worker"} == set(scraped["dns_sd_configs"][0]["names"])
    assert port == scraped["dns_sd_configs"][0]["port"]
    assert f"http://127.0.0.1:{port}/livez" in worker["healthcheck"]["test"][-1]
    assert worker["ports"][0].endswith(f":{port}")


def test_kafkas_listeners_agree() -> None:
    """The address that Kafka tells its clients is the one that our services are given."""
    kafka = SERVICES["kafka"]["environment"]
    listeners = dict(entry.split("://") for entry in kafka["KAFKA_LISTENERS"].split(","))
    advertised = dict(entry.split("://") for entry in kafka["KAFKA_ADVERTISED_LISTENERS"].split(","))
    protocols = dict(pair.split(":") for pair in kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))

    assert set(protocols) == set(listeners)
    assert set(advertised) == set(listeners) - {kafka["KAFKA_CONTROLLER_LISTENER_NAMES"]}
    assert kafka["KAFKA_INTER_BROKER_LISTENER_NAME"] in advertised
    assert all(advertised[name].endswith(listeners[name]) for name in advertised)
    assert {service["environment"]["KAFKA_BOOTSTRAP"] for service in OURS.values()} <= set(
        advertised.values()
    )


@pytest.mark.parametrize("name", OURS)
def test_our_commands_are_accepted(name: str) -> None:
    """Each command and each of its options is known to the program itself."""
    program = Path(sys.executable).with_name("live-segments")
    command = [str(program), *OURS[name]["command"], "--help"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[:2] == ["Usage:", "live-segments"]
