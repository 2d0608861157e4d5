"""What ``make demo`` and ``make ui`` run: the main job on services of this machine."""
