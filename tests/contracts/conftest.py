import untimed  # noqa: F401
