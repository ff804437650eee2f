"""What applications do with minio-py. Reads endpoint and keys from AWS's variables."""

import io
import os
import urllib.parse
import urllib.request
from datetime import timedelta

from minio import Minio
from minio.commonconfig import ENABLED, CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.versioningconfig import VersioningConfig

MIB = 1024 * 1024
client = Minio(
    endpoint=urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc,
    access_key=os.environ["AWS_ACCESS_KEY_ID"],
    secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    secure=False,
)

client.make_bucket(bucket_name="box")
assert client.bucket_exists(bucket_name="box") and not client.bucket_exists(bucket_name="missing")

body = os.urandom(12 * MIB)
client.put_object(
    bucket_name="box", object_name="dir/large", data=io.BytesIO(body), length=-1, part_size=5 * MIB,
    metadata={"colour": "blue"},
)
found = client.get_object(bucket_name="box", object_name="dir/large")
assert found.read() == body
found.close()
stat = client.stat_object(bucket_name="box", object_name="dir/large")
assert stat.size == len(body) and stat.metadata["x-amz-meta-colour"] == "blue"
part = client.get_object(bucket_name="box", object_name="dir/large", offset=5 * MIB, length=10)
assert part.read() == body[5 * MIB : 5 * MIB + 10]

client.copy_object(bucket_name="box", object_name="copy", source=CopySource(bucket_name="box", object_name="dir/large"))
assert [item.object_name for item in client.list_objects(bucket_name="box", recursive=True)] == ["copy", "dir/large"]
assert [item.object_name for item in client.list_objects(bucket_name="box")] == ["copy", "dir/"]

tags = Tags.new_object_tags()
tags["a"] = "1"
client.set_object_tags(bucket_name="box", object_name="copy", tags=tags)
assert client.get_object_tags(bucket_name="box", object_name="copy") == tags

link = client.presigned_get_object(bucket_name="box", object_name="copy", expires=timedelta(minutes=1))
assert urllib.request.urlopen(link).read() == body

client.set_bucket_versioning(bucket_name="box", config=VersioningConfig(ENABLED))
assert client.get_bucket_versioning(bucket_name="box").status == ENABLED
second = client.put_object(bucket_name="box", object_name="copy", data=io.BytesIO(b"2"), length=1)
versions = list(client.list_objects(bucket_name="box", prefix="copy", include_version=True))
assert [version.version_id for version in versions] == [second.version_id, "null"]

rest = [
    DeleteObject(item.object_name, item.version_id)
    for item in client.list_objects(bucket_name="box", recursive=True, include_version=True)
]
assert not list(client.remove_objects(bucket_name="box", delete_object_list=rest))
client.remove_bucket(bucket_name="box")
print("minio-py ok")
