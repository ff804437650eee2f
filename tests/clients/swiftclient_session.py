"""What applications do with python-swiftclient. Reads ST_AUTH, ST_USER and ST_KEY, as `swift` does."""

import hashlib
import hmac
import io
import os
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request

import swiftclient

connection = swiftclient.Connection(os.environ["ST_AUTH"], os.environ["ST_USER"], os.environ["ST_KEY"], retries=1)


def refused(status, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except swiftclient.ClientException as error:
        assert error.http_status == status, f"{error.http_status} instead of {status}"
        return
    raise AssertionError(f"not refused with {status}")


def fetch(url, method="GET", body=None, headers=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}, method=method)) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def objects():
    connection.put_container("box", headers={"X-Container-Meta-Colour": "blue"})
    assert connection.head_container("box")["x-container-meta-colour"] == "blue"
    body = b"hello, world"
    etag = connection.put_object("box", "a b/ü", body, headers={"X-Object-Meta-Mtime": "1700000000.123"})
    assert etag == hashlib.md5(body).hexdigest()
    headers, found = connection.get_object("box", "a b/ü", headers={"Range": "bytes=0-4"})
    assert found == b"hello" and headers["x-object-meta-mtime"] == "1700000000.123"
    connection.post_object("box", "a b/ü", {"X-Object-Meta-New": "1"})
    assert "x-object-meta-mtime" not in connection.head_object("box", "a b/ü")
    refused(422, connection.put_object, "box", "wrong", body, etag="0" * 32)
    refused(404, connection.head_object, "box", "wrong")
    connection.copy_object("box", "a b/ü", "/box/copy", headers={"X-Object-Meta-Copied": "yes"})
    assert connection.head_object("box", "copy")["x-object-meta-copied"] == "yes"
    assert [item["name"] for item in connection.get_container("box")[1]] == ["a b/ü", "copy"]


def expiry():
    connection.put_object("box", "short", b"x", headers={"X-Delete-At": str(int(time.time()) + 2)})
    connection.head_object("box", "short")
    time.sleep(3)
    refused(404, connection.head_object, "box", "short")
    assert "short" not in [item["name"] for item in connection.get_container("box")[1]]


def large_objects():
    connection.put_container("segments")
    for number in range(3):
        connection.put_object("segments", f"dlo/{number}", str(number) * 10)
    connection.put_object("box", "dynamic", b"", headers={"X-Object-Manifest": "segments/dlo/"})
    assert connection.get_object("box", "dynamic")[1] == b"0" * 10 + b"1" * 10 + b"2" * 10
    assert connection.head_object("box", "dynamic")["content-length"] == "30"
    manifest = '[{"path": "/segments/dlo/1"}, {"path": "/segments/dlo/0", "range": "0-4"}]'
    connection.put_object("box", "static", manifest, query_string="multipart-manifest=put")
    headers, found = connection.get_object("box", "static")
    assert found == b"1" * 10 + b"0" * 5 and headers["x-static-large-object"] == "True"
    headers, found = connection.get_object("box", "static", headers={"Range": "bytes=8-11"})
    assert found == b"1100"
    connection.delete_object("box", "static", query_string="multipart-manifest=delete")
    refused(404, connection.head_object, "segments", "dlo/1")


def archives():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, body in [("a.html", b"first"), ("long/" + "d" * 200 + "/ü", b"second"), ("large", b"x" * 1_000_000)]:
            member = tarfile.TarInfo(name)
            member.size = len(body)
            member.pax_headers = {"SCHILY.xattr.user.meta.colour": "blue"}
            archive.addfile(member, io.BytesIO(body))
    connection.put_container("unpacked")
    answer = {}
    connection.put_object(
        "unpacked", "in", packed.getvalue(), query_string="extract-archive=tar.gz",
        headers={"Accept": "application/json"}, content_type="", response_dict=answer)
    assert answer["status"] == 200, answer
    names = [item["name"] for item in connection.get_container("unpacked")[1]]
    assert names == ["in/a.html", "in/large", "in/long/" + "d" * 200 + "/ü"], names
    headers, found = connection.get_object("unpacked", "in/a.html")
    assert found == b"first" and headers["content-type"] == "text/html", headers
    assert headers["x-object-meta-colour"] == "blue"
    assert connection.head_object("unpacked", "in/large")["content-length"] == "1000000"


def versions():
    connection.put_container("history", headers={"X-Versions-Enabled": "true"})
    connection.put_object("history", "key", b"one")
    first = connection.head_object("history", "key")["x-object-version-id"]
    connection.put_object("history", "key", b"two")
    connection.delete_object("history", "key")
    refused(404, connection.head_object, "history", "key")
    _, listed = connection.get_container("history", query_string="versions")
    assert len(listed) == 3 and listed[0]["is_latest"]
    assert connection.get_object("history", "key", query_string=f"version-id={first}")[1] == b"one"
    for item in listed:
        connection.delete_object("history", "key", query_string=f"version-id={item['version_id']}")
    connection.delete_container("history")
    connection.put_container("legacy", headers={"X-Versions-Location": "legacy"})
    connection.put_object("legacy", "key", b"one")
    connection.put_object("legacy", "key", b"two")
    assert len(connection.get_container("legacy")[1]) == 2
    connection.delete_object("legacy", "key")
    assert connection.get_object("legacy", "key")[1] == b"one"


def access():
    url, _ = connection.get_auth()
    connection.put_object("box", "shown", b"shown")
    assert fetch(f"{url}/box/shown")[0] == 401
    connection.post_container("box", {"X-Container-Read": ".r:*,.rlistings"})
    assert fetch(f"{url}/box/shown") == (200, b"shown")
    assert b"shown" in fetch(f"{url}/box")[1]
    connection.post_container("box", {"X-Container-Read": ""})
    assert fetch(f"{url}/box/shown")[0] == 401


def links():
    url, _ = connection.get_auth()
    connection.post_account({"X-Account-Meta-Temp-URL-Key": "secret"})
    path = urllib.parse.urlsplit(url).path + "/box/linked"

    def link(method, digest="sha256"):
        expires = int(time.time()) + 60
        text = f"{method}\n{expires}\n{path}".encode()
        signature = hmac.new(b"secret", text, digest).hexdigest()
        return f"{url}/box/linked?temp_url_sig={signature}&temp_url_expires={expires}"

    assert fetch(link("PUT"), "PUT", b"by link")[0] == 201
    assert fetch(link("GET"))[1] == b"by link"
    assert fetch(link("GET"), "HEAD")[0] == 200
    assert fetch(link("GET"), "PUT", b"no")[0] == 401
    assert fetch(link("GET")[:-1] + "0000")[0] == 401


def quotas():
    connection.put_container("small", headers={"X-Container-Meta-Quota-Bytes": "10"})
    connection.put_object("small", "fits", b"12345")
    refused(413, connection.put_object, "small", "large", b"1234567890")


def capabilities():
    offered = connection.get_capabilities()
    for name in ["swift", "slo", "dlo", "tempurl", "formpost", "bulk_delete", "bulk_upload", "container_quotas", "object_versioning"]:
        assert name in offered, name


for step in [objects, expiry, large_objects, archives, versions, access, links, quotas, capabilities]:
    step()
    print(step.__name__, "ok")
