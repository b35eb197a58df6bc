"""Append-only event store, read models and claims on OpenSearch."""
