"""The chart as Helm itself renders it, without a cluster."""

from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "dwh"
RELEASE, NAMESPACE = "dwh", "warehouse"
ENVIRONMENTS = ("dev", "staging", "prod")
ENGINES = ("keda", "hpa", "none")
CONSUMERS = ("alerts", "approvals", "indexer", "orchestrator")
Values = dict[str, Any]


class Refused(Exception):  # noqa: N818 - named for what happened
    """Helm does not render these values; the text is what a person sees."""


class Loader(yaml.CSafeLoader):
    """YAML in which a key that stands twice is an error, as Kubernetes has it."""


def _mapping(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]  # type: ignore[no-untyped-call]
    assert len(keys) == len(set(keys)), f"a key stands twice at {node.start_mark}"
    return loader.construct_mapping(node, deep=True)


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def of_environment(name: str, **changes: Any) -> Values:
    """The committed values of an environment with changes on top."""
    return merged(yaml.safe_load((CHART / f"values-{name}.yaml").read_text(encoding="utf-8")), changes)


def merged(*layers: Values) -> Values:
    """Values as Helm merges several `-f`: maps by key, everything else by replacement."""
    return reduce(_over, layers, {})


def _over(below: Values, above: Values) -> Values:
    return {
        **below,
        **{
            key: _over(below[key], value)
            if isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
            else value
            for key, value in above.items()
        },
    }


def set_(text: str) -> Values:
    """What `--set` makes of a text."""
    return helm_python.parse_set_string(text)


def texts(values: Values) -> dict[str, str]:
    """What each template gives, by its path inside the chart.

    Raises:
        Refused: by the schema or by a template.
    """
    try:
        # values stay in a loaded chart, so each rendering loads it anew
        with helm_python.Chart.load(CHART) as chart:
            rendered = chart.render(values, name=RELEASE, namespace=NAMESPACE)
    except helm_python.HelmError as error:
        raise Refused(str(error)) from None
    return {path.removeprefix("dwh/"): text for path, text in rendered.items()}


def objects(values: Values) -> list[dict[str, Any]]:
    """Every object of a release, hooks and tests included."""
    found = []
    for path, text in texts(values).items():
        if path.endswith(".yaml"):
            found += [made for made in yaml.load_all(text, Loader) if made is not None]
    return found


def by_name(found: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Objects by kind and name, which no two may share."""
    keys = [(made["kind"], made["metadata"]["name"]) for made in found]
    assert len(keys) == len(set(keys)), f"made twice: {sorted(keys)}"
    return dict(zip(keys, found, strict=True))
