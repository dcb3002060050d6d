"""Measures the copying of files from a web server to S3: ours, and that of other programs."""
