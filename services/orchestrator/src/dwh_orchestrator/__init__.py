"""What runs next? Sends a trigger for each matching workflow rule."""
