"""The lab: an AI agent gets a sandbox, a notebook and this instrument."""
