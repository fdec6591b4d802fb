"""The simulated sender of webhooks: publication, signatures, retries, URL validation."""
