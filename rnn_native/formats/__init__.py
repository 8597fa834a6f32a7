"""Files of other programs, and one way in for all models; imports `models` and below."""
