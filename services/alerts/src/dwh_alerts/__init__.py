"""Who must know? Opens and resolves incidents and notifies."""
