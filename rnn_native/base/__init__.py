"""The base of everything else: errors, files, checks, the runtime; imports nothing else of the package."""
