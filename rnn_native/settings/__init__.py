"""JSON files of architectures, configurations and recipes; imports `training` and below."""
