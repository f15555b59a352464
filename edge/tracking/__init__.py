"""From faces to alerts: tracks, votes, the alert policy."""
