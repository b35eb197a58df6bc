"""What every service shares: settings, logs, metrics, health, effects, leases."""
