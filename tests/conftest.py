"""Registers the fixtures that tests share; each lives in a module of its own."""

pytest_plugins = ["database", "feature_report", "hub", "shares"]
