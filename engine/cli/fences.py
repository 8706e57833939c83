"""``herenow fences``: look at geofences offline or at a running server, and bring them in from other formats."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import msgspec

from engine.cli.shared import (
    call,
    config_option,
    configured,
    counting,
    format_option,
    print_json,
    run,
    server_options,
)
from engine.errors import Finding, HerenowError
from engine.model.config import Config
from engine.model.fence import Fence
from engine.model.reason import Reason

PAGE = "1000"


class Finite(click.FloatRange):
    """A range that holds no NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        return number if number == number else self.fail(f"{value!r} is no number.", param, ctx)


@click.group()
def fences() -> None:
    """Geofences: which hold a point, what is there, and bringing them in from other formats.

    \b
    Example:
      herenow fences inspect 52.5219 13.4031 --accuracy 20
    """


@fences.command("inspect", context_settings={"ignore_unknown_options": True})
@click.argument("lat", type=Finite(-90, 90))
@click.argument("lon", type=Finite(-180, 180))
@click.option("--accuracy", type=Finite(0, 1e6), help="Metres (default: [sense] default_accuracy).")
@config_option
@server_options
@format_option
def inspect(
    lat: float, lon: float, accuracy: float | None, config_path: str | None, url: str | None, key: str | None, form: str
) -> None:
    """Which fences hold this point, how far is each border, how likely is the inside? Of the files here, or (--url) of
    a running server with its run-time fences.

    \b
    Example:
      herenow fences inspect 52.5219 13.4031 --accuracy 20
      herenow fences inspect 52.5219 13.4031 --url http://127.0.0.1:8080
    """
    if url is not None:
        params = {"lat": repr(lat), "lon": repr(lon)}
        if accuracy is not None:
            params["accuracy"] = repr(accuracy)
        answer = run(call("GET", f"{url.rstrip('/')}/v1/geofences", key, params=params))
    else:
        answer = _inspect(configured(config_path), lat, lon, accuracy)
    if form == "json":
        print_json(answer)
        return
    click.echo(f"{lat}, {lon} at an accuracy of {answer['accuracy']:g} m")
    for line in answer["geofences"]:
        click.echo(_told("in  ", line))
    for line in answer["near"]:
        click.echo(_told("near", line))
    if not answer["geofences"]:
        click.echo("no geofence holds this point")


def _told(word: str, line: dict[str, Any]) -> str:
    metres = line["metres"]
    if metres is None:
        side = "no border anywhere"
    else:
        side = f"{metres:.1f} m inside" if metres >= 0 else f"{-metres:.1f} m outside"
    name = f" ({line['name']})" if line["name"] else ""
    told = f"{word}  {line['id']}{name}  {side}, P(inside) {line['probability']:.2f}"
    if line.get("reason") == Reason.TOO_IMPRECISE:
        words = "no fix of this accuracy is ever enough to enter it; use radius >= 100 m or `catchment`"
        told += f"\n      {Reason.TOO_IMPRECISE}: {words}"
    return told


def _inspect(config: Config, lat: float, lon: float, accuracy: float | None) -> dict[str, Any]:
    from engine.sense import FenceSet
    from engine.sense.inspecting import inspect_at

    found, findings = _authored(config)
    _say(findings, errors_only=True)
    return inspect_at(FenceSet.compile(found), config.policy.sense, lat, lon, accuracy)


@fences.command("list")
@config_option
@server_options
@format_option
def list_fences(config_path: str | None, url: str | None, key: str | None, form: str) -> None:
    """All geofences of the files here, or (--url) of a running server with its run-time ones.

    \b
    Example:
      herenow fences list
      herenow fences list --url http://127.0.0.1:8080 --format json
    """
    if url is not None:
        features = list(run(_pages(url.rstrip("/"), key)))
    else:
        from engine.author.outgoing import feature_of

        found, findings = _authored(configured(config_path))
        _say(findings, errors_only=True)
        features = [feature_of(fence) for fence in sorted(found, key=lambda fence: fence.id)]
    if form == "json":
        print_json({"type": "FeatureCollection", "features": features})
        return
    for feature in features:
        facts, kind = feature["properties"], feature["geometry"]["type"]
        size = f" {facts['radius']:g} m" if "radius" in facts else ""
        tags = ", ".join(facts.get("tags", ()))
        click.echo(f"{feature['id']:28} {kind + size:22} {tags:24} {facts.get('name', ''):28} {feature['source']}")
    click.echo(f"{len(features)} geofence(s)")


async def _pages(url: str, key: str | None) -> list[dict[str, Any]]:
    features: list[dict[str, Any]] = []
    params = {"limit": PAGE}
    while True:
        page = await call("GET", f"{url}/v1/geofences", key, params=params)
        features += page["features"]
        if not page["after"]:
            return features
        params["after"] = page["after"]


@fences.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to write (default: on the screen).")
@click.option("--tag", "tags", multiple=True, help="Give every fence this tag; once or more.")
@click.option("--radius", type=click.FloatRange(0, min_open=True), help="Metres for points without a radius.")
@format_option
def import_fences(file: Path, out: Path | None, tags: tuple[str, ...], radius: float | None, form: str) -> None:
    """Read GeoJSON, KML or KMZ, CSV (lat, lon, radius, id, name) or a shapefile; write GeoJSON for geofences/. What is
    wrong is told with its place in FILE; the rest is written. Exit code 1 where something was refused.

    \b
    Example:
      herenow fences import shops.csv --out geofences/shops.geojson --tag shop
      herenow fences import stops.kml --radius 80 > geofences/stops.geojson
    """
    from engine.author.importing import read_file
    from engine.author.outgoing import feature_of

    with counting(f"reading {file.name}") as heard:
        upload = read_file(file, tags, radius, heard)
    kept: dict[str, Fence] = {}
    findings = [told.finding for told in upload.told]
    for fence, number in zip(upload.fences, upload.numbers, strict=True):
        if kept.setdefault(fence.id, fence) is not fence:
            where = int(fence.source.rpartition(":")[2])
            problem = f"feature {number + 1}: There is a geofence '{fence.id}' already in this file."
            findings.append(Finding(file.name, where, 1, "error", "DUPLICATE_FENCE", problem, "Give one another id."))
    features = [_plain(feature_of(fence)) for fence in kept.values()]
    if features:
        _write(out, features)
    if form == "json":
        print_json({"imported": len(features), "out": None if out is None else str(out), "findings": findings})
    else:
        _say(findings, errors_only=False)
        click.echo(f"{len(features)} geofence(s) imported, {_errors(findings)} refused", err=True)
    if _errors(findings):
        raise SystemExit(1)


def _plain(feature: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in feature.items() if key != "source"}


def _write(out: Path | None, features: list[dict[str, Any]]) -> None:
    """One feature a line: differences can be read."""
    lines = b",\n".join(msgspec.json.encode(feature) for feature in features)
    text = b'{"type": "FeatureCollection", "features": [\n' + lines + b"\n]}\n"
    if out is None:
        click.echo(text.decode(), nl=False)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = out.with_name(out.name + ".tmp")
        part.write_bytes(text)
        os.replace(part, out)
    except OSError as error:
        raise HerenowError(f"cannot write: {error.strerror or error}", str(out)) from error


def _errors(findings: Iterable[Finding]) -> int:
    return sum(finding.severity == "error" for finding in findings)


def _say(findings: Iterable[Finding], errors_only: bool) -> None:
    for finding in findings:
        if finding.severity == "error" or not errors_only:
            click.echo(str(finding), err=True)


def _authored(config: Config) -> tuple[list[Fence], list[Finding]]:
    """The good fences of the project's files."""
    from engine.author.folder import read_files
    from engine.author.geojson import read_fences

    files, findings = read_files(config)
    found: list[Fence] = []
    for name, data in files.items():
        if name.startswith("geofences/"):
            some, told = read_fences(name, data)
            found += some
            findings += told
    return found, findings
