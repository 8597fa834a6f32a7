"""What everything else stands on: errors, files, checks, the runtime; imports nothing of ours."""
