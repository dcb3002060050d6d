"""The parts of the Google Cloud Storage server: objects, uploads, and refusals."""
