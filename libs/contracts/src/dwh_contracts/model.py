"""What all contract models share: frozen, strict about types, tolerant of fields they do not know."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict

Lax = Strict(strict=False)
"""Enumerations arrive as text."""
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Number = int | float
Payload = dict[str, Any]
"""A JSON object that is passed on unread."""


class ContractModel(BaseModel):
    """A part of an event; unknown fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
