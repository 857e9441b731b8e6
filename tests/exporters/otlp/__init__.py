"""What is sent over OTLP, without sending it."""
