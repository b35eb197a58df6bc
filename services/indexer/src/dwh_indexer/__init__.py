"""What happened? Appends job events to the store and keeps the read models."""
