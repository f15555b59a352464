"""The receivers of events: lights, logs, files, brokers, webhooks."""
