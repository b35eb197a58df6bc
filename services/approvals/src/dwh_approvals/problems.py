"""Errors of the HTTP API as RFC 9457 problem documents, one slug per kind."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from dwh_contracts.canonical import JsonObject


class Slug(Enum):
    """The kinds of problems: slug, status, title."""

    UNAUTHENTICATED = ("unauthenticated", 401, "Nobody knows who you are")
    CROSS_SITE = ("cross-site", 403, "This request comes from somewhere else")
    NOT_AN_APPROVER = ("not-an-approver", 403, "You may not decide on this job's runs")
    REQUESTER = ("requester-may-not-decide", 403, "Somebody else must decide on your run")
    NOT_FOUND = ("not-found", 404, "There is nothing here")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "This cannot be done here")
    ALREADY_DECIDED = ("already-decided", 409, "Somebody decided before")
    NOT_PENDING = ("not-pending", 409, "This run waits for no decision")
    STALE_VIEW = ("stale-view", 409, "What you saw is not what is stored")
    PRECONDITION_FAILED = ("precondition-failed", 412, "It changed since you looked")
    TOO_LARGE = ("too-large", 413, "This is too large")
    UNSUPPORTED_MEDIA_TYPE = ("unsupported-media-type", 415, "This is not application/json")
    INVALID_REASON = ("invalid-reason", 422, "A reason has 10 to 2,000 characters")
    INVALID_BODY = ("invalid-body", 422, "The body is not as described")
    STORE_UNAVAILABLE = ("store-unavailable", 503, "The store does not answer")
    IDENTITY_UNAVAILABLE = ("identity-unavailable", 503, "The identity provider does not answer")
    INTERNAL = ("internal", 500, "Something went wrong here")

    def __init__(self, slug: str, status: int, title: str) -> None:
        self.slug = slug
        self.status = status
        self.title = title

    @classmethod
    def named(cls, slug: str) -> "Slug":
        """The kind of this slug."""
        return next(kind for kind in cls if kind.slug == slug)


@dataclass
class Problem(Exception):  # noqa: N818 - named for what it becomes
    """Raised anywhere below a route; the application answers with the document."""

    kind: Slug
    detail: str
    extra: JsonObject = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def document(self, instance: str) -> JsonObject:
        """The problem document of this error at this address."""
        return {
            "type": f"/problems/{self.kind.slug}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": instance,
            **self.extra,
        }


def problem_answers() -> dict[int | str, dict[str, Any]]:
    """Every status with its slugs, for the OpenAPI description."""
    answers: dict[int | str, dict[str, Any]] = {}
    for kind in Slug:
        told = answers.setdefault(
            kind.status, {"description": "", "content": {"application/problem+json": {}}}
        )
        told["description"] = ", ".join(filter(None, [told["description"], f"`{kind.slug}`"]))
    return answers
