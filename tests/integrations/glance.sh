#!/usr/bin/env bash
# OpenStack Glance (Debian's glance-api) that keeps its images in Martlet, through the Swift store and the S3 store:
# images of one piece and of several are uploaded, read back, and deleted.
#
# Usage: glance.sh swift|s3 FOLDER, with the variables of Martlet's credentials.env; FOLDER is scratch space.
# Needs the packages glance-api, python3-swiftclient and python3-boto3.
set -euo pipefail
driver=$1
folder=$2
cd "$folder"

free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)

case "$driver" in
  swift)
    # Images above 10 MB are kept in segments of 5 MB.
    store="[kept]
default_swift_reference = martlet
swift_store_config_file = $folder/swift.conf
swift_store_create_container_on_put = true
swift_store_container = images
swift_store_large_object_size = 10
swift_store_large_object_chunk_size = 5"
    ;;
  s3)
    store="[kept]
s3_store_host = $AWS_ENDPOINT_URL
s3_store_access_key = $AWS_ACCESS_KEY_ID
s3_store_secret_key = $AWS_SECRET_ACCESS_KEY
s3_store_bucket = images
s3_store_create_bucket_on_put = true
s3_store_bucket_url_format = path
s3_store_large_object_size = 10
s3_store_large_object_chunk_size = 5"
    ;;
  *)
    echo "usage: glance.sh swift|s3 FOLDER" >&2
    exit 2
    ;;
esac

cat > swift.conf <<CONFIG
[martlet]
user = $ST_USER
key = $ST_KEY
auth_address = $ST_AUTH/
auth_version = 1
CONFIG
cat > glance.conf <<CONFIG
[DEFAULT]
bind_host = 127.0.0.1
bind_port = $port
workers = 0
enabled_backends = kept:$driver
transport_url = fake://
enabled_import_methods = []
[database]
connection = sqlite:///$folder/glance.sqlite
[glance_store]
default_backend = kept
[os_glance_staging_store]
filesystem_store_datadir = $folder/staging
[os_glance_tasks_store]
filesystem_store_datadir = $folder/tasks
[paste_deploy]
flavor =
config_file = /usr/share/glance-common/glance-api-paste.ini
[oslo_policy]
enforce_scope = false
$store
CONFIG

glance-manage --config-file glance.conf db_sync > db.log 2>&1 || { cat db.log >&2; exit 1; }
glance-api --config-file glance.conf > glance.log 2>&1 &
glance=$!
trap 'kill $glance 2>/dev/null || true' EXIT
fail() { echo "$1" >&2; tail -50 glance.log >&2; exit 1; }
for _ in $(seq 300); do
  curl --silent --fail "http://127.0.0.1:$port/healthcheck" > /dev/null && break
  kill -0 $glance 2>/dev/null || fail "glance ended"
  sleep 0.1
done

api() { curl --silent --show-error --fail-with-body --header 'X-Roles: admin' "$@"; }
for bytes in 1000 23000000; do
  head -c "$bytes" /dev/urandom > image.bin
  id=$(api --header 'Content-Type: application/json' --data '{"name": "it", "disk_format": "raw", "container_format": "bare"}' \
    "http://127.0.0.1:$port/v2/images" | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])') || fail "create"
  image="http://127.0.0.1:$port/v2/images/$id"
  api --request PUT --header 'Content-Type: application/octet-stream' --data-binary @image.bin "$image/file" || fail "upload of $bytes bytes"
  api "$image" | grep -q '"status": *"active"' || fail "the image isn't active"
  api "$image/file" | cmp - image.bin || fail "the image came back changed"
  api --request DELETE "$image" || fail "delete"
done
echo "glance over $driver ok"
