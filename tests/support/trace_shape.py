"""A trace without what differs from run to run: times, ids, wording with numbers stay out."""

from pathlib import Path

DEMO_TRACES = Path(__file__).with_name("demo_traces.json")


def shape(node):
    """[kind, name where it is no id, state, children], the children in the order of their text."""
    name = node["name"] if node["kind"] in {"event", "check", "alert", "trigger"} else None
    return [node["kind"], name, node["state"], sorted(map(shape, node["children"]), key=str)]
