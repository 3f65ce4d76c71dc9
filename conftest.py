"""Wiring only: the plugin brings the options, the fixtures and the steps."""

pytest_plugins = ["medmij_conformance.plugin"]
