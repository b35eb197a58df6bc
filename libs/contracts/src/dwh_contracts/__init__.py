"""What travels and what is stored: events, ids, attributes, workflow and route configuration."""
