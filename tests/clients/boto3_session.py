"""What applications do with boto3, from the first bucket to versions, tags, links and forms.

Reads endpoint and keys from the environment, as boto3 does. Fails with an assertion's text.
"""

import base64
import hashlib
import http.client
import json
import os
import urllib.parse

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

MIB = 1024 * 1024
s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))


def refused(code, status, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        found = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert found == (code, status), f"{found} instead of {(code, status)}"
        return error.response
    raise AssertionError(f"{call} was not refused with {code}")


def fetch(url, method="GET", body=None, headers=None):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request(method, f"{parts.path}?{parts.query}", body, headers or {})
    answer = connection.getresponse()
    return answer.status, dict((name.lower(), value) for name, value in answer.getheaders()), answer.read()


def buckets():
    s3.create_bucket(Bucket="box")
    s3.create_bucket(Bucket="box")
    assert "box" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    s3.head_bucket(Bucket="box")
    assert s3.get_bucket_location(Bucket="box")["ResponseMetadata"]["HTTPStatusCode"] == 200
    refused("404", 404, s3.head_bucket, Bucket="missing")
    refused("NoSuchBucket", 404, s3.list_objects_v2, Bucket="missing")


def objects():
    body = b"hello, world"
    put = s3.put_object(
        Bucket="box", Key="a/b c+d&ü", Body=body, ContentType="text/plain", CacheControl="max-age=5",
        Metadata={"colour": "blue", "empty": ""},
    )
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    found = s3.get_object(Bucket="box", Key="a/b c+d&ü")
    assert found["Body"].read() == body
    assert found["Metadata"] == {"colour": "blue", "empty": ""} and found["CacheControl"] == "max-age=5"
    assert s3.get_object(Bucket="box", Key="a/b c+d&ü", Range="bytes=-5")["Body"].read() == b"world"
    refused("InvalidRange", 416, s3.get_object, Bucket="box", Key="a/b c+d&ü", Range="bytes=100-")
    refused("304", 304, s3.get_object, Bucket="box", Key="a/b c+d&ü", IfNoneMatch=put["ETag"])
    refused("PreconditionFailed", 412, s3.get_object, Bucket="box", Key="a/b c+d&ü", IfMatch='"x"')
    refused("NoSuchKey", 404, s3.get_object, Bucket="box", Key="missing")
    s3.copy_object(
        Bucket="box", Key="copy", CopySource={"Bucket": "box", "Key": "a/b c+d&ü"},
        MetadataDirective="REPLACE", Metadata={"colour": "red"},
    )
    assert s3.head_object(Bucket="box", Key="copy")["Metadata"] == {"colour": "red"}


def conditional_writes():
    s3.put_object(Bucket="box", Key="once", Body=b"1", IfNoneMatch="*")
    refused("PreconditionFailed", 412, s3.put_object, Bucket="box", Key="once", Body=b"2", IfNoneMatch="*")
    etag = s3.head_object(Bucket="box", Key="once")["ETag"]
    s3.put_object(Bucket="box", Key="once", Body=b"3", IfMatch=etag)
    refused("PreconditionFailed", 412, s3.put_object, Bucket="box", Key="once", Body=b"4", IfMatch=etag)
    refused("NoSuchKey", 404, s3.put_object, Bucket="box", Key="never", Body=b"5", IfMatch=etag)
    assert s3.get_object(Bucket="box", Key="once")["Body"].read() == b"3"


def checksums():
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
        put = s3.put_object(Bucket="box", Key=algorithm, Body=b"123456789", ChecksumAlgorithm=algorithm)
        name = f"Checksum{algorithm}"
        head = s3.head_object(Bucket="box", Key=algorithm, ChecksumMode="ENABLED")
        assert put[name] == head[name] and head["ChecksumType"] == "FULL_OBJECT", algorithm
        assert s3.get_object(Bucket="box", Key=algorithm, ChecksumMode="ENABLED")["Body"].read() == b"123456789"
    wrong = base64.b64encode(b"\0" * 4).decode()
    refused("BadDigest", 400, s3.put_object, Bucket="box", Key="wrong", Body=b"x", ChecksumCRC32=wrong)
    refused("404", 404, s3.head_object, Bucket="box", Key="wrong")


def multipart():
    pieces = [os.urandom(5 * MIB), os.urandom(5 * MIB), b"end"]
    upload = s3.create_multipart_upload(Bucket="box", Key="large", ChecksumAlgorithm="CRC32")["UploadId"]
    parts = []
    for number, piece in enumerate(pieces, 1):
        part = s3.upload_part(
            Bucket="box", Key="large", UploadId=upload, PartNumber=number, Body=piece, ChecksumAlgorithm="CRC32",
        )
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]})
    assert len(s3.list_parts(Bucket="box", Key="large", UploadId=upload)["Parts"]) == 3
    assert [one["Key"] for one in s3.list_multipart_uploads(Bucket="box")["Uploads"]] == ["large"]
    refused("404", 404, s3.head_object, Bucket="box", Key="large")
    done = s3.complete_multipart_upload(
        Bucket="box", Key="large", UploadId=upload, MultipartUpload={"Parts": parts},
    )
    digests = b"".join(hashlib.md5(piece).digest() for piece in pieces)
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    assert s3.get_object(Bucket="box", Key="large")["Body"].read() == b"".join(pieces)
    second = s3.get_object(Bucket="box", Key="large", PartNumber=2)
    assert second["PartsCount"] == 3 and second["Body"].read() == pieces[1]
    attributes = s3.get_object_attributes(
        Bucket="box", Key="large", ObjectAttributes=["ETag", "ObjectSize", "ObjectParts", "Checksum"],
    )
    assert attributes["ObjectSize"] == 10 * MIB + 3 and attributes["ObjectParts"]["TotalPartsCount"] == 3
    aborted = s3.create_multipart_upload(Bucket="box", Key="aborted")["UploadId"]
    s3.abort_multipart_upload(Bucket="box", Key="aborted", UploadId=aborted)
    refused("NoSuchUpload", 404, s3.list_parts, Bucket="box", Key="aborted", UploadId=aborted)


def listings():
    for number in range(25):
        s3.put_object(Bucket="box", Key=f"list/{number:02}/key", Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="box", Prefix="list/", Delimiter="/", PaginationConfig={"PageSize": 10},
    )
    prefixes = [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])]
    assert prefixes == [f"list/{number:02}/" for number in range(25)]
    first = s3.list_objects(Bucket="box", Prefix="list/", MaxKeys=3)
    assert first["IsTruncated"] and len(first["Contents"]) == 3
    keys = [{"Key": f"list/{number:02}/key"} for number in range(25)]
    assert len(s3.delete_objects(Bucket="box", Delete={"Objects": keys})["Deleted"]) == 25
    assert s3.list_objects_v2(Bucket="box", Prefix="list/")["KeyCount"] == 0


def versions():
    s3.create_bucket(Bucket="history")
    assert "Status" not in s3.get_bucket_versioning(Bucket="history")
    s3.put_object(Bucket="history", Key="key", Body=b"before")
    s3.put_bucket_versioning(Bucket="history", VersioningConfiguration={"Status": "Enabled"})
    one = s3.put_object(Bucket="history", Key="key", Body=b"one")["VersionId"]
    two = s3.put_object(Bucket="history", Key="key", Body=b"two")["VersionId"]
    assert s3.get_object(Bucket="history", Key="key", VersionId=one)["Body"].read() == b"one"
    assert s3.get_object(Bucket="history", Key="key", VersionId="null")["Body"].read() == b"before"
    marker = s3.delete_object(Bucket="history", Key="key")
    assert marker["DeleteMarker"]
    refused("NoSuchKey", 404, s3.get_object, Bucket="history", Key="key")
    assert s3.list_objects_v2(Bucket="history")["KeyCount"] == 0
    listed = s3.list_object_versions(Bucket="history")
    assert [version["VersionId"] for version in listed["Versions"]] == [two, one, "null"]
    assert listed["DeleteMarkers"][0]["IsLatest"]
    s3.delete_object(Bucket="history", Key="key", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket="history", Key="key")["Body"].read() == b"two"
    s3.delete_object(Bucket="history", Key="key", VersionId=two)
    assert s3.get_object(Bucket="history", Key="key")["Body"].read() == b"one"
    refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket="history")
    for version in [one, "null"]:
        s3.delete_object(Bucket="history", Key="key", VersionId=version)
    s3.delete_bucket(Bucket="history")


def tags():
    s3.put_object(Bucket="box", Key="tagged", Body=b"", Tagging="a=1&b=2")
    assert s3.get_object(Bucket="box", Key="tagged")["TagCount"] == 2
    s3.put_object_tagging(Bucket="box", Key="tagged", Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
    assert s3.get_object_tagging(Bucket="box", Key="tagged")["TagSet"] == [{"Key": "c", "Value": "3"}]
    s3.delete_object_tagging(Bucket="box", Key="tagged")
    assert s3.get_object_tagging(Bucket="box", Key="tagged")["TagSet"] == []
    refused("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket="box")
    s3.put_bucket_tagging(Bucket="box", Tagging={"TagSet": [{"Key": "team", "Value": "x"}]})
    assert s3.get_bucket_tagging(Bucket="box")["TagSet"] == [{"Key": "team", "Value": "x"}]


def access():
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    s3.put_object(Bucket="box", Key="private", Body=b"private")
    s3.put_object(Bucket="box", Key="public", Body=b"public", ACL="public-read")
    assert fetch(f"{endpoint}/box/private")[0] == 403
    assert fetch(f"{endpoint}/box/public")[::2] == (200, b"public")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::box/priv*"}
        ],
    }
    refused("NoSuchBucketPolicy", 404, s3.get_bucket_policy, Bucket="box")
    s3.put_bucket_policy(Bucket="box", Policy=json.dumps(policy))
    assert json.loads(s3.get_bucket_policy(Bucket="box")["Policy"]) == policy
    assert fetch(f"{endpoint}/box/private")[::2] == (200, b"private")
    s3.delete_bucket_policy(Bucket="box")
    assert fetch(f"{endpoint}/box/private")[0] == 403
    refused("MalformedPolicy", 400, s3.put_bucket_policy, Bucket="box", Policy="{}")


def links_and_forms():
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    link = s3.generate_presigned_url("put_object", Params={"Bucket": "box", "Key": "linked"}, ExpiresIn=60)
    assert fetch(link, "PUT", b"by link")[0] == 200
    link = s3.generate_presigned_url("get_object", Params={"Bucket": "box", "Key": "linked"}, ExpiresIn=60)
    assert fetch(link)[::2] == (200, b"by link")
    form = s3.generate_presigned_post("box", "uploads/${filename}", ExpiresIn=60)
    boundary = "martlet"
    fields = [f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in form["fields"].items()]
    fields.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\nby form\r\n--{boundary}--\r\n')
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    status, _, text = fetch(f"{endpoint}/box", "POST", "".join(fields).encode(), headers)
    assert status == 204, (status, text)
    assert s3.get_object(Bucket="box", Key="uploads/f.txt")["Body"].read() == b"by form"
    rule = {"AllowedOrigins": ["http://app.example"], "AllowedMethods": ["PUT"], "AllowedHeaders": ["*"]}
    s3.put_bucket_cors(Bucket="box", CORSConfiguration={"CORSRules": [rule]})
    ask = {"Origin": "http://app.example", "Access-Control-Request-Method": "PUT"}
    status, headers, _ = fetch(f"{endpoint}/box/linked", "OPTIONS", headers=ask)
    assert status == 200 and headers["access-control-allow-origin"] == "http://app.example"
    assert fetch(f"{endpoint}/box/linked", "OPTIONS", headers={**ask, "Origin": "http://else"})[0] == 403


def unconfigured():
    assert s3.get_bucket_request_payment(Bucket="box")["Payer"] == "BucketOwner"
    for call, code in [
        (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
        (s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration"),
    ]:
        refused(code, 404, call, Bucket="box")


def clear():
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="box"):
        keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
        if keys:
            s3.delete_objects(Bucket="box", Delete={"Objects": keys})
    s3.delete_bucket(Bucket="box")


for step in [
    buckets, objects, conditional_writes, checksums, multipart, listings, versions, tags, access,
    links_and_forms, unconfigured, clear,
]:
    step()
    print(step.__name__, "ok")
