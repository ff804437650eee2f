"""Uploads from a page of another origin, in headless Chromium: S3's POST form and a presigned PUT with CORS, Swift's
FormPost with its redirect, and a TempURL.

Reads the variables of credentials.env.
"""

import hmac
import html
import http.server
import json
import os
import subprocess
import tempfile
import threading
import time
import urllib.parse

import boto3
import swiftclient
from botocore.config import Config

SECONDS_MAX = 60
endpoint = os.environ["AWS_ENDPOINT_URL"]
# Version 2 signs the content type, which a page doesn't choose.
s3 = boto3.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
swift = swiftclient.Connection(os.environ["ST_AUTH"], os.environ["ST_USER"], os.environ["ST_KEY"], retries=1)

PAGE = """<!DOCTYPE html><meta charset="utf-8"><title>uploads</title><pre id="outcome"></pre>
<script>
const plan = PLAN;
const file = (text) => new File([text], "ü file.txt", {type: "text/plain"});
const steps = {
  async post_form() {
    const form = new FormData();
    for (const [name, value] of Object.entries(plan.post.fields)) form.append(name, value);
    form.append("file", file("by POST form"));
    const answer = await fetch(plan.post.url, {method: "POST", body: form});
    return [answer.status, answer.headers.get("etag")];
  },
  async presigned_put() {
    const answer = await fetch(plan.put, {method: "PUT", body: file("by presigned PUT"), headers: {"x-amz-meta-from": "page"}});
    return [answer.status, answer.headers.get("etag")];
  },
  async refused_put() {
    try { return [(await fetch(plan.foreign, {method: "PUT", body: "x"})).status]; } catch (error) { return ["blocked"]; }
  },
  async temp_url() {
    const answer = await fetch(plan.temp_url, {method: "PUT", body: file("by TempURL")});
    return [answer.status, answer.headers.get("etag")];
  },
};
(async () => {
  const outcome = {};
  for (const [name, step] of Object.entries(steps)) {
    try { outcome[name] = await step(); } catch (error) { outcome[name] = [String(error)]; }
  }
  document.getElementById("outcome").textContent = JSON.stringify(outcome);
})();
</script>"""

FORM = """<!DOCTYPE html><meta charset="utf-8"><title>form</title>
<form action="URL" method="POST" enctype="multipart/form-data" id="form">FIELDS
<input type="file" name="file1" id="file"></form>
<script>
const chosen = new DataTransfer();
chosen.items.add(new File(["by FormPost"], "form.txt", {type: "text/plain"}));
document.getElementById("file").files = chosen.files;
document.getElementById("form").submit();
</script>"""


class Page(http.server.BaseHTTPRequestHandler):
    pages = {}

    def do_GET(self):
        path, _, query = self.path.partition("?")
        body = self.pages.get(path, f"<pre id=outcome>{html.escape(query)}</pre>").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
threading.Thread(target=server.serve_forever, daemon=True).start()
origin = f"http://127.0.0.1:{server.server_port}"


def visit(path):
    """What the page says once its scripts have run."""
    with tempfile.TemporaryDirectory() as profile:
        command = [
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={profile}", "--virtual-time-budget=15000", "--dump-dom", origin + path,
        ]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=True).stdout
    return html.unescape(shown.split('id="outcome">')[1].split("</pre>")[0])


s3.create_bucket(Bucket="forms")
s3.create_bucket(Bucket="closed")
rule = {
    "AllowedOrigins": [origin], "AllowedMethods": ["PUT", "POST"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"],
}
s3.put_bucket_cors(Bucket="forms", CORSConfiguration={"CORSRules": [rule]})
account, _ = swift.get_auth()
swift.post_account({"X-Account-Meta-Temp-URL-Key": "secret"})
swift.put_container("swiftforms", headers={
    "X-Container-Meta-Access-Control-Allow-Origin": origin,
    "X-Container-Meta-Access-Control-Expose-Headers": "etag",
})
account_path = urllib.parse.urlsplit(account).path
expires = int(time.time()) + 600


def sign(*lines):
    return hmac.new(b"secret", "\n".join(map(str, lines)).encode(), "sha256").hexdigest()


path = f"{account_path}/swiftforms/linked"
Page.pages["/uploads"] = PAGE.replace("PLAN", json.dumps({
    "post": s3.generate_presigned_post("forms", "dir/${filename}", ExpiresIn=600),
    "put": s3.generate_presigned_url("put_object", Params={"Bucket": "forms", "Key": "put", "Metadata": {"from": "page"}}),
    "foreign": s3.generate_presigned_url("put_object", Params={"Bucket": "closed", "Key": "put"}),
    "temp_url": f"{account}/swiftforms/linked?temp_url_sig={sign('PUT', expires, path)}&temp_url_expires={expires}",
}))
outcome = json.loads(visit("/uploads"))
assert outcome["post_form"][0] == 204, outcome
assert outcome["presigned_put"] == [200, s3.head_object(Bucket="forms", Key="put")["ETag"]], outcome
assert outcome["refused_put"] == ["blocked"], outcome
assert outcome["temp_url"][0] == 201, outcome
assert s3.get_object(Bucket="forms", Key="dir/ü file.txt")["Body"].read() == b"by POST form"
assert s3.head_object(Bucket="forms", Key="put")["Metadata"] == {"from": "page"}
assert swift.get_object("swiftforms", "linked")[1] == b"by TempURL"

path = f"{account_path}/swiftforms/uploads/"
fields = {
    "redirect": f"{origin}/done", "max_file_size": 1000, "max_file_count": 1, "expires": expires,
    "signature": sign(path, f"{origin}/done", 1000, 1, expires),
}
inputs = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in fields.items())
Page.pages["/form"] = FORM.replace("URL", f"{account}/swiftforms/uploads/").replace("FIELDS", inputs)
assert visit("/form") == "status=201&message=", "the form's redirect"
assert swift.get_object("swiftforms", "uploads/form.txt")[1] == b"by FormPost"
print("browser ok")
