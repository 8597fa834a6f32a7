"""How good a trained net's answers are, and what they depend on; imports `net` and below."""
