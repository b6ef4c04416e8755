"""Reference models that share no code with what they judge."""
