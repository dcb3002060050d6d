"""
Copy files: from a URL to S3, Google Cloud Storage or a directory, checked on the way.

``copy``         copy a file, unless the store has it
``verify``       verify a file that a store has
``targets``      find the store and the path behind a download URL
``store_paths``  check paths in a store
``ports``        the protocols of file sources and file stores
``content``      the bytes on their way from a source to a store
``http_source``  read a file over HTTP
``s3``, ``gcs``, ``directory``    the stores

A file that is wrong is never visible, and no option changes that. It takes two things. ``Content``
hashes what passes, and holds the last chunk back until all is known to be right: so an upload of
wrong bytes is never complete, whatever the receiver checks. And a store shows a file only when it
is complete: S3 by its single PUT, Google by finishing the session, a directory by a rename.
"""
