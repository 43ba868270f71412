"""Fine-tuning a local model on an exported set, merging, configurations for other trainers."""
