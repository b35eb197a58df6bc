"""How the command ends: 0 done, 1 no or not found, 2 wrong usage or bad input, 3 a server not reachable.

Ended
├── No         1
├── Usage      2
└── NoServer   3
"""


class Ended(Exception):  # noqa: N818 - an end, not always an error
    """One line for the user and the exit code."""

    code = 1


class No(Ended):
    """The answer is no, or there is no such thing."""

    code = 1


class Usage(Ended):
    """Wrong usage or bad input."""

    code = 2


class NoServer(Ended):
    """A needed server is not reachable."""

    code = 3
