#!/usr/bin/env bash
# A Docker registry (Debian's docker-registry) that keeps its images in Martlet: an image is pushed and pulled by skopeo,
# comes back equal, and is deleted and collected.
#
# Usage: docker_registry.sh swift|s3 FOLDER, with the variables of Martlet's credentials.env.
# The bucket `images` must be there; FOLDER is scratch space.
set -euo pipefail
driver=$1
folder=$2
here=$(cd "$(dirname "$0")" && pwd)
cd "$folder"

case "$driver" in
  swift)
    storage="swift:
    authurl: $ST_AUTH
    username: $ST_USER
    password: $ST_KEY
    authversion: 1
    container: images
    chunksize: 5242880
    tempurlmethods: [GET, HEAD]"
    ;;
  s3)
    storage="s3:
    accesskey: $AWS_ACCESS_KEY_ID
    secretkey: $AWS_SECRET_ACCESS_KEY
    region: us-east-1
    regionendpoint: $AWS_ENDPOINT_URL
    bucket: images
    secure: false
    chunksize: 5242880"
    ;;
  *)
    echo "usage: docker_registry.sh swift|s3 FOLDER" >&2
    exit 2
    ;;
esac

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > registry.yml <<CONFIG
version: 0.1
log: {level: warn}
storage:
  $storage
  delete: {enabled: true}
http: {addr: "127.0.0.1:$port", secret: only-for-this-test}
CONFIG

# The registry's SDK ends where this names a bundle of certificates, and there is nothing to certify.
unset AWS_CA_BUNDLE
docker-registry serve registry.yml > registry.log 2>&1 &
registry=$!
trap 'kill $registry 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  curl --silent --fail "http://127.0.0.1:$port/v2/" > /dev/null && break
  kill -0 $registry || { cat registry.log >&2; exit 1; }
  sleep 0.1
done

python3 "$here/oci_image.py" image
fail() { echo "$1" >&2; cat registry.log >&2; exit 1; }
skopeo=(skopeo --insecure-policy)
"${skopeo[@]}" copy --quiet --dest-tls-verify=false oci:image:latest "docker://127.0.0.1:$port/one:latest" || fail "push"
"${skopeo[@]}" copy --quiet --src-tls-verify=false "docker://127.0.0.1:$port/one:latest" oci:pulled:latest || fail "pull"
diff -r image/blobs pulled/blobs || fail "the image came back changed"

# The layers are known already: they are mounted, not sent again.
"${skopeo[@]}" copy --quiet --dest-tls-verify=false oci:image:latest "docker://127.0.0.1:$port/two:latest" || fail "second push"
curl --silent --fail "http://127.0.0.1:$port/v2/_catalog" | grep -q '"one","two"' || fail "catalog"

# A blob is answered with a link that the registry has signed; following it gives the blob.
digest=$(python3 -c 'import json; m = json.load(open("image/index.json")); d = m["manifests"][0]["digest"].split(":")[1]
print(json.load(open(f"image/blobs/sha256/{d}"))["layers"][1]["digest"])')
location=$(curl --silent --output /dev/null --write-out '%{redirect_url}' "http://127.0.0.1:$port/v2/one/blobs/$digest")
[ -n "$location" ] || fail "no redirect to a signed link"
curl --silent --fail "$location" | cmp - "image/blobs/sha256/${digest#sha256:}" || fail "the signed link gives something else"

"${skopeo[@]}" delete --tls-verify=false "docker://127.0.0.1:$port/one:latest" || fail "delete"
"${skopeo[@]}" delete --tls-verify=false "docker://127.0.0.1:$port/two:latest" || fail "delete"
docker-registry garbage-collect registry.yml > collected.log 2>&1 || { cat collected.log >&2; fail "garbage collection"; }
grep -qE "[1-9][0-9]* blobs and .* eligible for deletion" collected.log || fail "nothing was collected"
echo "docker-registry over $driver ok"
