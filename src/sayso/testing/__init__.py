"""What tests and the demo stand on: fake vendors and the suite every connector passes. Not used by the hub itself."""
