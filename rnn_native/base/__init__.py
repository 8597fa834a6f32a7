"""The base of everything else: errors, files, checks, runtime; imports nothing else of it."""
