"""The world behind the engine's ports: AWS clients, real time, and in-memory stand-ins."""
