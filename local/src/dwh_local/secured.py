"""A node with users and TLS: for tests of what each service may do. OpenSearch 2.19 with its security plugin.

The plugin comes as a zip; the jars in it that the runner already has are left out. Every key and certificate
is made for the node and lies in its folder.
"""

from __future__ import annotations

import json
import re
import ssl
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import httpx

from dwh_local import certificates, opensearch
from dwh_local.certificates import Pair
from dwh_local.children import Child
from dwh_local.ivy import Fetched, fetch, verified
from dwh_local.jars import jars_folder, line_named
from dwh_local.java import find_java
from dwh_local.opensearch import Installation
from dwh_local.paths import Checkout, checkout

LINE = "2.19"
PLUGIN = "org.opensearch.security.OpenSearchSecurityPlugin"
_ZIP = "org.opensearch.plugin_opensearch-security-2.19.1.0.zip"
_IVY = resources.files("dwh_local").joinpath("data", f"opensearch-security-{LINE}.ivy.xml")
FETCHED = Fetched(f"opensearch-security-{LINE}", ("-ivy", str(_IVY)), kinds="zip")
READY_SECONDS = 90
_AUTHENTICATION = {
    "dynamic": {
        "http": {"anonymous_auth_enabled": False},
        "authc": {
            "basic": {
                "http_enabled": True,
                "order": 0,
                "http_authenticator": {"type": "basic", "challenge": True},
                "authentication_backend": {"type": "intern"},
            }
        },
    }
}
_ALL = {"enabled": False, "requests": {}}
_CONFIGURATION: dict[str, tuple[str, dict[str, object]]] = {
    "config": ("config", {"config": _AUTHENTICATION}),
    "roles": ("roles", {}),
    "roles_mapping": ("rolesmapping", {}),
    "internal_users": ("internalusers", {}),
    "action_groups": ("actiongroups", {}),
    "tenants": ("tenants", {}),
    "nodes_dn": ("nodesdn", {}),
    "whitelist": ("whitelist", {"config": _ALL}),
    "allowlist": ("allowlist", {"config": _ALL}),
}
"""File, kind of its content, content: nobody is known but who has the certificate of `admin`."""


@dataclass(frozen=True, slots=True)
class SecuredNode:
    """A running node that nobody may ask without a name."""

    url: str
    authority: Path
    """Certificate of whom to trust."""
    admin: Pair
    process: Child

    def as_admin(self) -> httpx.Client:
        """A client that may do everything, by its certificate."""
        return _as_admin(self.url, self.authority, self.admin)

    def as_user(self, name: str, password: str) -> httpx.Client:
        """A client with a name and a password."""
        return httpx.Client(
            base_url=self.url, verify=_trusting(self.authority), auth=(name, password), timeout=30
        )

    def stop(self) -> None:
        """End the node."""
        self.process.stop()


def ensure_plugin(place: Checkout, say: Callable[[str], None] = lambda _: None) -> Path:
    """The plugin's zip, downloaded once and verified."""
    directory = jars_folder(place, line_named(LINE)).with_name("security")
    directory.parent.mkdir(parents=True, exist_ok=True)
    if not directory.is_dir():
        say(f"downloading the security plugin of OpenSearch {LINE} (once)")
        fetch(place, find_java(), FETCHED, directory)
    [archive] = verified(directory, FETCHED.sums)
    return archive


def install(place: Checkout | None = None) -> Installation:
    """The node with the plugin's jars beside its own."""
    place = place or checkout()
    plain = opensearch.install(place, LINE)
    archive = ensure_plugin(place)
    ours = {_artifact(jar.name.split("_", 1)[1]) for jar in plain.jars}
    folder = archive.with_name("jars")
    return replace(plain, jars=[*plain.jars, *_unpacked(archive, ours, folder)], plugins=(PLUGIN,))


def start(
    installation: Installation, directory: Path, port: int, settings: Mapping[str, str] | None = None
) -> SecuredNode:
    """Start a node on a port of localhost; returns when it knows who may ask. Raises NotReady."""
    config = directory / "node_1" / "config"
    (config / "opensearch-security").mkdir(parents=True)
    for name, (kind, body) in _CONFIGURATION.items():
        told = {"_meta": {"type": kind, "config_version": 2}, **body}
        (config / "opensearch-security" / f"{name}.yml").write_text(json.dumps(told))
    made = certificates.make(config, ("node", "admin"))
    opensearch.prepare(directory, port, {**_settings(), **(settings or {})})
    url, administrator = f"https://localhost:{port}", made.pairs["admin"]
    command = installation.command(directory, port)
    named = f"the OpenSearch node with users on port {port}"
    with _as_admin(url, made.authority, administrator) as admin:
        child = opensearch.run(command, directory, lambda: _answers(admin, directory), named, READY_SECONDS)
    return SecuredNode(url, made.authority, administrator, child)


def _as_admin(url: str, authority: Path, admin: Pair) -> httpx.Client:
    context = _trusting(authority)
    context.load_cert_chain(admin.certificate, admin.key)
    return httpx.Client(base_url=url, verify=context, timeout=30)


def _trusting(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority)


def _settings() -> dict[str, str]:
    told = {
        "plugins.security.ssl.http.enabled": "true",
        "plugins.security.ssl.http.clientauth_mode": "OPTIONAL",
    }
    for layer in ("transport", "http"):
        told |= {
            f"plugins.security.ssl.{layer}.pemcert_filepath": "node.pem",
            f"plugins.security.ssl.{layer}.pemkey_filepath": "node.key",
            f"plugins.security.ssl.{layer}.pemtrustedcas_filepath": "authority.pem",
        }
    return told | {
        "plugins.security.ssl.transport.enforce_hostname_verification": "false",
        "plugins.security.allow_default_init_securityindex": "true",
        "plugins.security.authcz.admin_dn": json.dumps([certificates.subject("admin")]),
        "plugins.security.nodes_dn": json.dumps([certificates.subject("node")]),
        "plugins.security.audit.type": "noop",
    }


def _answers(admin: httpx.Client, directory: Path) -> bool:
    try:
        health = admin.get("/_cluster/health", timeout=2)
        initialized = admin.get("/_plugins/_security/health", timeout=2)
    except httpx.HTTPError:
        return False
    return (
        health.status_code == initialized.status_code == httpx.codes.OK
        and health.json()["cluster_name"] == opensearch.cluster_name(directory)
        and initialized.json()["status"] == "UP"
    )


def _unpacked(archive: Path, present: set[str], folder: Path) -> Iterator[Path]:
    """The jars of the zip that are not present."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(archive) as opened:
        for name in sorted(opened.namelist()):
            if not name.endswith(".jar") or _artifact(name) in present:
                continue
            path = folder / Path(name).name
            if not path.is_file():
                path.write_bytes(opened.read(name))
            yield path


def _artifact(jar: str) -> str:
    """The name of a jar without its version."""
    return re.sub(r"-\d.*", "", Path(jar).name)
