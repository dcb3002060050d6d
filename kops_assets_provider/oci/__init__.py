"""
Copying images between registries.

Speaks the OCI Distribution and Image specs (v1.1) and the Docker formats that came before them;
knows nothing of kOps, of files or of Airflow.

``reference``  parse the name of an image      ``manifest``  parse manifests and indexes
``digest``     the digest of a content         ``ports``     protocols of source and target
``survey``     compare source and target       ``copy``      copy images together
``remote``     a repository behind HTTP        ``auth``      log in, and get tokens

The order of a copy is what keeps a target whole: blobs first, then the manifests that name them,
then the index, and the tag last. Whoever pulls meanwhile sees the old image or the new one.
"""
