"""
Copy files: from a URL to S3, Google Cloud Storage or a directory, checked on the way.

``copy``         ``copy_file``: the copy, skipped if the file is there
``verify``       ``verify_file``: what is there, and whether it is right
``stores``       which store, and which path in it, a download URL stands for
``ports``        what can be copied from and to; ``content``, what passes between
``http_source``  over HTTP
``s3``, ``gcs``, ``directory``, ``memory``    the stores

A file that is wrong is never visible, and no option changes that. It takes two things. ``Content``
hashes what passes, and holds the last chunk back until all is known to be right: so an upload of
wrong bytes is never complete, whatever the receiver checks. And a store shows a file only when it
is complete: S3 by its single PUT, Google by finishing the session, a directory by a rename.
"""
