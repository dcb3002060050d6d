"""What the UI shows beside each task: what it does, and what to do when it fails."""

GET_ASSETS = """\
Computes the list of all images and files that the cluster downloads.

**It fails** when its input is wrong: the error names every problem at once. Nothing was copied yet.
Correct the DAG's options, its Variable or the run's form, and clear this task with its downstream.
"""
_PLAN = """\
Asks the target which {what} it has, and returns those that must be copied; its log says why.

**It fails** when not one of them could be asked about, mostly because of credentials or a host that
cannot be reached. Correct the connection, and clear this task with its downstream.
"""
PLAN_IMAGES = _PLAN.format(what="images")
PLAN_FILES = _PLAN.format(what="files")
_COPY = """\
Copies one {what} for each map index, which bears its name. *Source* and *Target* among the extra
links lead to it. The task state store has the progress of a long copy under `progress`; before
Airflow 3.3 its log has it.

**It fails** at once for what retrying cannot help: {permanent}. A server that is down is tried
again, with growing waits. Nothing half-made is left. Clear the failed map index with its
downstream: it is copied alone, and the report follows.
"""
COPY_IMAGE = _COPY.format(
    what="image", permanent="an image that does not exist, a denied pull or push"
)
COPY_FILE = _COPY.format(
    what="file", permanent="a file that does not exist, a wrong SHA-256, a denied write"
)
REPORT = """\
Says what became of every asset, keeps it in the mirror's record, and fails if one is missing.

**It fails** exactly when the mirror is not whole; its log says what is missing and why. Do not
clear it alone: clear what failed before it, together with its downstream.
"""
CHECK = """\
Asks how every asset stands at its target, and writes nothing.

**It fails** when one is missing or wrong; its log says which. Run the DAG that copies.
"""
GET_FLEET_ASSETS = """\
Computes the lists of all images and files that the clusters of the group download.

**It fails** when not one of them can be listed, or when one cannot be listed now and a later try
may. A cluster whose own input is wrong is left out, and its `publish_readiness` says why. Correct
the input, and clear this task with its downstream.
"""
PUBLISH_READINESS = """\
Says for each cluster, whose name its map index bears, what became of its assets, keeps that in the
record of its mirror, and tells those who wait for the mirror if it is whole.

**It fails** exactly when the cluster's mirror is not whole; its log says what is missing and why.
Do not clear it alone: clear what failed before it, together with its downstream.
"""
FLEET_REPORT = """\
Says which clusters of the group are ready, and what became of every asset, each told once.

**It fails** exactly when one of the mirrors is not whole. Do not clear it alone: clear what failed
before it, together with its downstream.
"""
