"""Complete definitions of indices and templates: settings, mapping, aliases."""

from dwh_contracts.canonical import JsonObject

from dwh_eventstore import indices, mappings

_FIELD_LIMIT = 500
REFRESH = "1s"
REFRESH_SELDOM = "10s"


def _settings(replicas: int, **more: object) -> JsonObject:
    settings: JsonObject = {
        "index.number_of_shards": 1,
        "index.number_of_replicas": replicas,
        "index.refresh_interval": REFRESH,
        "index.translog.durability": "request",
    }
    return settings | {f"index.{name}": value for name, value in more.items()}  # type: ignore[return-value]


def events_template(family: indices.Family, replicas: int) -> JsonObject:
    """Template of the monthly partitions of one family: append-only, by the engine."""
    return {
        "index_patterns": [indices.month_pattern(family)],
        "priority": 200,
        "template": _append_only(family, replicas),
    }


def late_definition(replicas: int) -> JsonObject:
    """The index of events whose month is closed or has no index."""
    return _append_only("late", replicas)


def _append_only(family: str, replicas: int) -> JsonObject:
    settings = _settings(replicas, **{"append_only.enabled": True})
    return {"settings": settings, "mappings": mappings.events(family)}


def documents_definition(replicas: int) -> JsonObject:
    """`effects-v1` and `decisions-v1`."""
    return {"settings": _settings(replicas), "mappings": mappings.documents()}


def digests_definition(replicas: int) -> JsonObject:
    """`event-digests-v1`, append-only as the log is."""
    settings = _settings(replicas, **{"append_only.enabled": True})
    return {"settings": settings, "mappings": mappings.digests()}


def quarantine_definition(replicas: int) -> JsonObject:
    """`events-quarantine-v1`; not append-only, its state changes by compare-and-set."""
    return {"settings": _settings(replicas), "mappings": mappings.quarantine()}


def read_model_definition(model: str, replicas: int) -> JsonObject:
    """A read model with the alias that readers use."""
    return {**_read_model(model, replicas, REFRESH), "aliases": {model: {}}}


def unread_definition(model: str, replicas: int) -> JsonObject:
    """A read model that nobody reads yet: without its alias, and seldom refreshed, which fills it faster."""
    return _read_model(model, replicas, REFRESH_SELDOM)


def _read_model(model: str, replicas: int, refresh: str) -> JsonObject:
    more = {"mapping.total_fields.limit": _FIELD_LIMIT, "refresh_interval": refresh}
    settings = _settings(replicas, **more)
    return {"settings": settings, "mappings": mappings.read_model(model)}


def fixed_indices(replicas: int) -> dict[str, JsonObject]:
    """Every index that exists once, by name."""
    read_models = {
        indices.physical(model): read_model_definition(model, replicas) for model in indices.FIXED_READ_MODELS
    }
    return {
        indices.LATE: late_definition(replicas),
        indices.DIGESTS: digests_definition(replicas),
        indices.QUARANTINE: quarantine_definition(replicas),
        indices.EFFECTS: documents_definition(replicas),
        indices.DECISIONS: documents_definition(replicas),
        indices.REGISTRY: documents_definition(replicas),
        indices.CHECKPOINTS: documents_definition(replicas),
        **read_models,
    }
