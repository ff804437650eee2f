"""Writes a small image as an OCI layout: one layer of some KiB and one that takes several parts.

Usage: oci_image.py FOLDER
"""

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

folder = sys.argv[1]
blobs = os.path.join(folder, "blobs", "sha256")
os.makedirs(blobs)


def store(content, media_type):
    digest = hashlib.sha256(content).hexdigest()
    with open(os.path.join(blobs, digest), "wb") as file:
        file.write(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def layer(name, content):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    plain = archive.getvalue()
    packed = gzip.compress(plain, compresslevel=1, mtime=0)
    return "sha256:" + hashlib.sha256(plain).hexdigest(), store(packed, "application/vnd.oci.image.layer.v1.tar+gzip")


layers = [layer("small", b"small" * 1000), layer("large", os.urandom(16 * 1024 * 1024))]
config = {
    "architecture": "amd64",
    "os": "linux",
    "rootfs": {"type": "layers", "diff_ids": [plain for plain, _ in layers]},
}
manifest = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": store(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
    "layers": [described for _, described in layers],
}
described = store(json.dumps(manifest).encode(), manifest["mediaType"])
described["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
with open(os.path.join(folder, "index.json"), "w") as file:
    json.dump({"schemaVersion": 2, "manifests": [described]}, file)
with open(os.path.join(folder, "oci-layout"), "w") as file:
    json.dump({"imageLayoutVersion": "1.0.0"}, file)
