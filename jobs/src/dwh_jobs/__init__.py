"""Spark jobs that say what happened: framework, metrics, quality, publisher and the shipped jobs."""
