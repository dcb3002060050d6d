"""
Computes the lists of clusters from their manifests, which differ in the clusters' names alone.

``compute_lists.py MANIFEST KOPS_VERSION CLUSTERS RESULT``: the CPU seconds of the first one, which
has all that is read once in it, and of all are written to the last, as JSON.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

from kops_assets_provider.mirror.lists.get_list import list_cluster

# The mirror's own hosts have the sample's name in them, and are those of all clusters.
_NAME = re.compile(r"(?<!registry\.)(?<!files\.)\bdemo\.example\.com")


def seconds_of(manifest: str, kops_version: str, name: str) -> float:
    """Compute one list, and return the CPU seconds that it took."""
    start = time.process_time()
    listed = list_cluster(_NAME.sub(name, manifest), kops_version, fetch_hashes=False)
    if listed.cluster != name:
        sys.exit(f"the list is that of {listed.cluster}, not {name}")
    return time.process_time() - start


def main(arguments: list[str]) -> None:
    """Compute the lists as the arguments say."""
    manifest, version, clusters, result = arguments
    text = Path(manifest).read_text()
    names = [f"c{number:03}.example.com" for number in range(int(clusters))]
    seconds = [seconds_of(text, version, name) for name in names]
    Path(result).write_text(json.dumps({"first": seconds[0], "all": sum(seconds)}))


if __name__ == "__main__":
    main(sys.argv[1:])
