"""Where events go: console, JSON lines, MQTT."""
