"""
Copying images between registries.

Speaks the OCI Distribution and Image specs (v1.1) and the Docker formats that came before them;
knows nothing of kOps, of files or of Airflow.

``reference``  the name of an image        ``manifest``  what an image consists of
``digest``     the name of a content       ``ports``     what can be copied from and to
``survey``     whether there is anything to copy         ``copy``      the verb
``remote``     a repository behind HTTP
``auth``       how registries ask for credentials        ``memory``  a repository in a dictionary

The order of a copy is what keeps a target whole: blobs first, then the manifests that name them,
then the index, and the tag last. Whoever pulls meanwhile sees the old image or the new one.
"""
