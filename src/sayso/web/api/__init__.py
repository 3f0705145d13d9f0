"""The doors of the API, one file a section of the wire contract: parse, call a flow, render."""
