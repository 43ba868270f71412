"""A Hugging Face model in this process: load, prompt, schedule, decode, choose."""
