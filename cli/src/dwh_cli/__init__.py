"""The dwh command."""
