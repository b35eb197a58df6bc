"""The job that merges the runs of a day into one set without duplicates."""
