"""The serving bundle: a signed folder of models that serving verifies before it believes a byte of it.

`bundles/<digest>/` holds the files of `training.contents`, the canary's answers, and `manifest.json`: the SHA-256 of every file,
signed with HMAC-SHA256 under this installation's key. `bundles/current` names the live one and is swapped in one step, so a
reader sees the old bundle or the new one. Verification order: signature, digests, structure, canary in a child, then loading.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arbitration.codec import canonical_json, decode
from arbitration.errors import BundleError
from features.home import Home
from training import canary
from training.attention import Attention
from training.categories import NextCategory
from training.contents import Contents, read_contents, write
from training.effects import Effects
from training.lapse import Lapse
from training.models import FloatArray, Model
from training.slots import SendTime

MANIFEST, CURRENT, KEY = "manifest.json", "current", "bundle.key"
FORMAT = 2
MEND = "Run `dirigent promote`."
RETRAIN = "Run `dirigent train`, then `dirigent promote`."
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Bundle:
    """Verified models, effects, rates of the lapsed, and metrics; None where the shop had too little to learn one from.

    `data_window` holds the first and last moment learned from, `created_at` when the newest model was made, `inputs` what it was
    trained on; empty, all three, without any model.
    """

    digest: str
    churn_risk: Model | None
    next_basket: Model | None
    spend: Model | None
    channel_propensity: Model | None
    base_purchase: Model | None
    send_time: SendTime | None
    opt_out: Model | None
    effects: Effects | None
    attention: Attention | None
    metrics: Mapping[str, Any]
    data_window: Mapping[str, str]
    created_at: str
    inputs: str
    lapses: tuple[Lapse, ...] = ()
    next_category: NextCategory | None = None

    @property
    def versions(self) -> Mapping[str, str]:
        """Name -> version of the models that there are, for a decision's record."""
        parts = (
            self.churn_risk,
            self.next_basket,
            self.spend,
            self.channel_propensity,
            self.base_purchase,
            self.opt_out,
        )
        found = {model.name: model.version for model in parts if model}
        if self.next_category:
            found["next_category"] = self.next_category.version
        if self.send_time:
            found["send_time"] = self.send_time.version
        if self.effects:
            found["effects"] = f"effects-{self.effects.version}"
        if self.attention:
            found["attention"] = f"attention-{self.attention.version}"
        return found


def _lapses(metrics: Mapping[str, Any]) -> tuple[Lapse, ...]:
    return tuple(decode(Lapse, one) for one in metrics.get("churn_risk", {}).get("lapsed", ()))


def export(
    home: Home,
    contents: Contents,
    samples: Mapping[str, FloatArray],
    *,
    created_at: str,
    data_window: Mapping[str, str],
    inputs: str,
) -> str:
    """Write a bundle and prove that it loads; returns its digest. `samples`: a few rows per model for the canary. `point` makes it live."""
    files = write(contents)
    files[canary.FILE] = canonical_json(
        {name: canary.record(contents.models[name], rows) for name, rows in samples.items()}
    )
    payload = {
        "format": FORMAT, "created_at": created_at, "data_window": dict(data_window), "inputs": inputs,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }  # fmt: skip
    digest = hashlib.sha256(canonical_json(payload)).hexdigest()
    files[MANIFEST] = canonical_json(payload | {"signature": sign(home, payload)})
    _place(home, digest, files)
    read_bundle(home, digest)
    return digest


def load(home: Home) -> Bundle:
    """The current bundle, verified. Raises BundleError in one line with how to mend it."""
    return read_bundle(home, current(home))


def current(home: Home) -> str:
    """The live digest; raises BundleError when nothing was promoted yet."""
    path = home.bundles / CURRENT
    try:
        digest = path.read_text().strip()
    except OSError as error:
        raise BundleError("there is no serving bundle", where=str(path), mend=MEND) from error
    if not DIGEST.fullmatch(digest):
        raise BundleError("does not name a bundle", where=str(path), mend=MEND)
    return digest


def read_bundle(home: Home, digest: str) -> Bundle:
    """Verify and load one bundle; the bytes that were verified are the bytes that are used."""
    folder = home.bundles / digest
    manifest, files = _verified(home, folder, digest)
    canary.fly(folder)
    contents = read_contents(files)
    models = contents.models
    return Bundle(
        digest, models.get("churn_risk"), models.get("next_basket"), models.get("spend"), models.get("channel_propensity"),
        models.get("base_purchase"), contents.send_time, models.get("opt_out"), contents.effects, contents.attention, contents.metrics,
        manifest["data_window"], manifest["created_at"], manifest["inputs"], _lapses(contents.metrics),
        contents.next_category,
    )  # fmt: skip


def _verified(home: Home, folder: Path, digest: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    manifest = _manifest(home, folder, digest)
    files: dict[str, bytes] = {}
    for name, expected in manifest["files"].items():
        path = folder / name
        try:
            files[name] = path.read_bytes()
        except OSError as error:
            raise BundleError("is missing", where=str(path), mend=MEND) from error
        if hashlib.sha256(files[name]).hexdigest() != expected:
            raise BundleError("was altered", where=str(path), mend=MEND)
    if extra := {path.name for path in folder.iterdir()} - {*files, MANIFEST}:
        raise BundleError("does not belong to the bundle", where=str(folder / min(extra)), mend=MEND)
    return manifest, files


def _manifest(home: Home, folder: Path, digest: str) -> dict[str, Any]:
    """The manifest, once its signature and its digest are right."""
    path = folder / MANIFEST
    try:
        raw = path.read_bytes()
        manifest: dict[str, Any] = json.loads(raw)
        signature = str(manifest.pop("signature"))
        right = signed(home, manifest, signature)
    except OSError as error:
        raise BundleError("is missing", where=str(path), mend=MEND) from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BundleError("was altered", where=str(path), mend=MEND) from error
    if (
        not right
        or raw != canonical_json(manifest | {"signature": signature})
        or hashlib.sha256(canonical_json(manifest)).hexdigest() != digest
    ):
        raise BundleError("was altered, or signed by another installation", where=str(path), mend=MEND)
    if manifest["format"] != FORMAT:
        raise BundleError(
            f"has format {manifest['format']}, this version reads {FORMAT}", where=str(path), mend=RETRAIN
        )
    return manifest


def sign(home: Home, payload: Mapping[str, Any]) -> str:
    """HMAC-SHA256 of a payload under this installation's key, which is made when there is none yet."""
    return _sign(_key(home, create=True), payload)


def signed(home: Home, payload: Mapping[str, Any], signature: str) -> bool:
    """Whether a signature is this installation's. Raises BundleError without a key."""
    return hmac.compare_digest(signature.encode(), _sign(_key(home, create=False), payload).encode())


def _sign(key: bytes, payload: Mapping[str, Any]) -> str:
    return hmac.new(key, canonical_json(payload), hashlib.sha256).hexdigest()


def _key(home: Home, *, create: bool) -> bytes:
    """32 random bytes, readable by the owner only, made on first export."""
    path = home.keys / KEY
    if create and not path.exists():
        home.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError("the bundle's signing key is missing", where=str(path), mend=MEND) from error


def _place(home: Home, digest: str, files: Mapping[str, bytes]) -> None:
    """All files at once under the digest's name; an earlier folder of that name, maybe damaged, is replaced."""
    home.bundles.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="new-", dir=home.bundles))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    folder.chmod(0o755)
    if (home.bundles / digest).exists():
        shutil.rmtree(home.bundles / digest)
    folder.rename(home.bundles / digest)


def point(home: Home, digest: str) -> None:
    """Make a bundle the live one: swap `current` in one step that survives a crash."""
    path = home.bundles / f"{CURRENT}.new"
    with path.open("w") as file:
        file.write(digest + "\n")
        file.flush()
        os.fsync(file.fileno())
    path.replace(home.bundles / CURRENT)
