"""The job that turns references in saved projects into plain image references."""
