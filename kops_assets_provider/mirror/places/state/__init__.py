"""
Where clusters live: kOps' state store, read and never written.

``ports``        what a state store is
``places``       opens one: ``s3://…``, ``gs://…`` or a directory
``clusters``     reads a cluster, and the release that it was last updated with
``s3``, ``gcs``, ``directory``, ``memory``    the stores
``s3_errors``    what boto3 raises, as one of our errors

A state store keeps a cluster's private keys and tokens beside its spec (``pki/``, ``secrets/``).
Nothing here reads or lists them: files are asked for by name, and the only folders that are listed
are ``<cluster>/instancegroup/``, ``<cluster>/clusteraddons/`` and, when a cluster is not there, the
names at the top.
"""
