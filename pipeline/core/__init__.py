"""What every room stands on: errors, hashing, JSONL, atomic files, resources, record ids."""
