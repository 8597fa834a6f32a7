"""What a trained net's answers are worth, and what they go by; imports `net` and below."""
