"""Programs that run in sandboxes; they import nothing of ours, so that nothing of ours need be installed there."""
