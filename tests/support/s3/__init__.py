"""The parts of the S3 server: what it stores, what it refuses, and how it lists."""
