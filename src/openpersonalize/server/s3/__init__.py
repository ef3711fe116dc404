"""Amazon S3's REST API over the ``buckets/`` folder, on the server's own port.

For programs that begin with ``s3.upload_file`` and end with ``s3.get_object``: buckets, objects, listings and
multipart uploads. Versions, tags, access lists and encryption are not there, and requests for them say so.
"""
