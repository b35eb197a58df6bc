"""What happened? Appends events to the store and keeps the read models."""
