"""A node that is killed while others work with it."""

from dwh_local import opensearch


class KillableNode:
    """A node of its own that is killed and started again over the same data."""

    def __init__(self, directory, port):
        self._installation, self._directory, self._port = opensearch.install(), directory, port
        self.url = f"http://127.0.0.1:{port}"
        self._node = None
        self.start()

    def start(self):
        self._node = opensearch.start_installed(self._installation, self._directory, self._port)

    def kill(self):
        self._node.process.kill()

    def stop(self):
        self._node.stop()
