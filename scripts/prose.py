"""Text extraction prototype."""
