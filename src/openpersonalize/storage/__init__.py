"""The object store (snapshots, artifacts), the buckets callers name, and sorted id tables."""
